"""A real PostgreSQL, from Debian's package, for as long as a test needs it: on loopback, with passwords."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from lth_pipeline_tests.places import free_port

ADMIN = "postgres"
ADMIN_PASSWORD = "an administrator's password"


@dataclass(frozen=True)
class Postgres:
    """A cluster that listens on 127.0.0.1:port, passwords checked by SCRAM."""

    port: int

    def psql(self, *arguments: str) -> str:
        """What `psql` prints, as the administrator."""
        env = {**os.environ, "PGPASSWORD": ADMIN_PASSWORD, "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        command = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", ADMIN, *arguments]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    def database(self, name: str, password: str) -> None:
        """A new database, and a user of the same name who owns it."""
        self.psql("-c", f'CREATE ROLE "{name}" LOGIN', "-c", f'CREATE DATABASE "{name}" OWNER "{name}"')
        self.password(name, password)

    def password(self, user: str, password: str) -> None:
        self.psql("-c", f"""ALTER ROLE "{user}" PASSWORD '{password.replace("'", "''")}'""")

    def address(self, name: str, password: str = "", driver: str = "psycopg2") -> str:
        """As SQLAlchemy takes it. Without a password it is PGPASSFILE's or PGPASSWORD's."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql+{driver}://{name}{secret}@127.0.0.1:{self.port}/{name}"


def program(name: str) -> str:
    """One of PostgreSQL's programs; Debian keeps most of them beside its releases."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[-1:]), None)
    return found or pytest.fail(f"PostgreSQL's {name} is not here: apt-get install postgresql", pytrace=False)


@contextmanager
def postgres_cluster() -> Iterator[Postgres]:
    """A new, empty cluster; it is gone afterwards. Root starts it as the user `postgres`, who alone may."""
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="lth-postgres-"))  # pytest's own cannot be entered by other users
    data, secret, port = folder / "data", folder / "password", free_port()
    secret.write_text(ADMIN_PASSWORD)
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
        shutil.chown(secret, "postgres")
    make = [program("initdb"), "-D", str(data), "-U", ADMIN, f"--pwfile={secret}", "--auth=scram-sha-256", "-N"]
    run = [program("postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    run += ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=100"]
    # it ends with the test's process, however that ends
    server = None
    try:
        subprocess.run([*as_user, *make, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, cwd=folder)
        bound = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([*as_user, *bound, *run], cwd=folder, stdout=log, stderr=log)
        ready = [program("pg_isready"), "-q", "-t", "30", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready).returncode:
            assert server.poll() is None, (folder / "log").read_text()
        yield Postgres(port)
    finally:
        if server:
            server.terminate()  # connections may go on; SIGINT then ends them
            server.send_signal(2)
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
