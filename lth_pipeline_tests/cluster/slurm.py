"""A SLURM of two nodes on this machine, from Debian's packages, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = ("n1", "n2")

SETTINGS = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n.spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.2 Port={ports[1]} CPUs=2 RealMemory=2000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.3 Port={ports[2]} CPUs=2 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    folder: Path

    def ask(self, *command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """What a command of SLURM's prints."""
        env = {**(env or os.environ), "SLURM_CONF": str(self.folder / "slurm.conf")}
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
        assert not done.returncode, f"{command}: {done.stderr}\n{self.logs()}"
        return done.stdout + done.stderr  # `sbatch --test-only` answers on the second

    def logs(self) -> str:
        return "".join(f"\n{path}:\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))

    def state(self, job: str) -> str:
        """PENDING, RUNNING, COMPLETED, FAILED, …; of an array, that of each task."""
        return self.ask("squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={job}").strip()


def lacks() -> str:
    """What is not here of what it takes; "" where all is."""
    if os.geteuid():
        return "slurmd and munged need root"
    missing = [program for program in PROGRAMS if not _program(program)]
    return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)" if missing else ""


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """folder: of its settings, state and logs; short, for the sake of munge's socket's name."""
    (folder / "state").mkdir()
    (folder / "key").write_bytes(os.urandom(128))
    (folder / "key").chmod(0o400)
    folder.chmod(0o755)  # munged asks for it
    settings = SETTINGS.format(host=socket.gethostname().partition(".")[0], folder=folder, ports=_free_ports(3))
    (folder / "slurm.conf").write_text(settings)
    files = {"key-file": "key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    munged = ["munged", "--foreground", "--force", *(f"--{option}={folder}/{name}" for option, name in files.items())]
    commands = {"munged": munged, "slurmctld": ["slurmctld", "-D"]}
    commands |= {node: ["slurmd", "-D", "-N", node] for node in NODES}
    with ExitStack() as running:
        for name, command in commands.items():
            running.enter_context(_running(folder, name, command))
            if name == "munged":
                _wait_until(lambda: (folder / "munge.socket").exists())
        found = Slurm(folder)
        _wait_until(lambda: found.ask("sinfo", "--noheader", "--format=%T %D").strip() == f"idle {len(NODES)}")
        yield found


@contextmanager
def _running(folder: Path, name: str, command: list[str]) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        process = subprocess.Popen([_program(command[0]), *command[1:]], env=env, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _wait_until(ready, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for free in found:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in found]
