"""A place of its own for each test: a home with one small card, and ways to run it."""

import io
import os
import shutil
import socket
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

PROJECT = Path(__file__).resolve().parent.parent
LTH = [sys.executable, "-m", "lth_pipeline.cli"]

SMALL_CARD = """\
description: a lottery of seconds
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: adam, learning_rate: 2e-3, batch_size: 32, iterations: 90, evaluate_every: 30}
pruning: {scope: layerwise, rates: {fc: 0.4}, output_rate: 0.2, rounds: 2}
arms: [ticket, reinit]
replicates: 2
"""


def free_port() -> int:
    """Of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Place:
    """A home folder. env: what a process needs to work in it."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LTH_", "MLFLOW_", "DAGSTER_"))}
        data = {"LTH_DATA_DIR": os.environ["LTH_DATA_DIR"]} if "LTH_DATA_DIR" in os.environ else {}
        return {**inherited, **data, "LTH_HOME": str(self.folder), "COLUMNS": "160"}

    @property
    def store(self) -> Path:
        return self.folder / ".lth" / "store"

    def card(self, name: str, text: str) -> Path:
        path = self.folder / "experiments" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def lth(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess:
        """Run `lth`; its output comes back as text."""
        done = subprocess.run([*LTH, *arguments], cwd=PROJECT, env={**self.env, **env}, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(
                f"lth {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}{self.logs()}"
            )
        return done

    def here(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess:
        """The same in this process, for what ends before anything is run: without the seconds of its imports."""
        from lth_pipeline.cli import main

        out, err, status = io.StringIO(), io.StringIO(), 0
        with (
            patch.dict(os.environ, {**self.env, **env}, clear=True),
            patch.object(sys, "argv", ["lth", *arguments]),
            chdir(PROJECT),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as leaving:
                status = leaving.code
        done = subprocess.CompletedProcess(["lth", *arguments], status, out.getvalue(), err.getvalue())
        assert not (check and status), f"lth {' '.join(arguments)} ended with {status}:\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str, **env: str) -> subprocess.Popen:
        """Start `lth` in a process group of its own."""
        return subprocess.Popen(
            [*LTH, *arguments],
            cwd=PROJECT,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def logs(self) -> str:
        return "".join(
            f"\n{path}:\n{path.read_text()[-4000:]}" for path in sorted((self.folder / ".lth" / "logs").glob("*.log"))
        )

    def copy(self, folder: Path) -> "Place":
        """This place again, elsewhere, without the tracking store (which holds absolute paths)."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("mlflow"))
        return Place(folder)
