"""Where a deployment keeps things. Every place has one environment variable; nothing else reads them."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

PACKAGE = Path(__file__).resolve().parent


class HomeError(Exception):
    """An environment variable that cannot be; the message names it."""


@dataclass(frozen=True)
class Home:
    project: Path  # the checkout: workspace.yaml, dagster.yaml
    data: Path  # LTH_DATA_DIR: data sets
    store: Path  # LTH_STORE_DIR: artifacts by content
    remote: str  # LTH_STORE_REMOTE: the store that several machines share (recipes/remote.py); empty: none
    cache: Path  # LTH_CACHE_DIR: own images as tensors; may be deleted
    allowed: tuple[Path, ...]  # LTH_ALLOWED_DIRS: where a card's data.path may lie, beside the data folder
    dagster: Path  # DAGSTER_HOME: runs and events
    mlflow: Path  # tracking store and artifacts, where MLFLOW_TRACKING_URI does not point elsewhere
    reports: Path  # tables, figures and reports
    experiments: Path  # LTH_EXPERIMENTS_DIR: the user's cards
    tracking_uri: str  # MLFLOW_TRACKING_URI
    dagster_ui: str  # LTH_DAGSTER_UI: for links
    mlflow_ui: str  # LTH_MLFLOW_UI: for links
    device: str  # LTH_DEVICE: auto, cpu, cuda:N
    devices: Path  # LTH_DEVICES_DIR: on this machine, the claims of GPUs (recipes/devices.py)
    processes: int  # LTH_PROCESSES: how many make each training together; 0: one
    together: int  # LTH_TOGETHER: networks that train side by side, at most; 0: as `Workshop` chooses
    checkpoint_seconds: float  # LTH_CHECKPOINT_SECONDS: how often a training leaves a state to resume from
    replicates: int  # LTH_REPLICATES: partitions are offered for at least so many
    memory: int  # LTH_MEMORY_GB, here in bytes: a larger set of own images is streamed from the cache
    deepest_round: int  # LTH_DEEPEST_ROUND: rounds have assets at least down to this one
    nightly: str  # LTH_NIGHTLY: when the schedule `nightly` runs, as cron writes it
    timezone: str  # LTH_TIMEZONE: of that, such as Europe/Berlin
    # LTH_DAGSTER_DATABASE: PostgreSQL for runs, events and schedules; empty: SQLite in DAGSTER_HOME
    dagster_database: str = field(default="", repr=False)  # it may hold a password


def find_home() -> Home:
    """The places of this process's environment.

    LTH_HOME moves everything at once; left out, all lies in the project (the folder with workspace.yaml).
    """
    project = _project()
    base = Path(os.environ.get("LTH_HOME") or project).expanduser().resolve()
    mlflow = base / "mlflow"
    if any(character in str(mlflow) for character in "#?%"):
        raise HomeError(f"{mlflow}: MLflow cannot keep its store where a path has one of # ? %; move, or set LTH_HOME")
    tracking_uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{mlflow / 'mlflow.db'}"
    if tracking_uri.startswith("sqlite:///"):
        tracking_uri = f"sqlite:///{Path(tracking_uri.removeprefix('sqlite:///')).resolve()}"
    _refuse_password(tracking_uri)
    ui = tracking_uri if tracking_uri.startswith("http") else "http://127.0.0.1:5000"
    return Home(
        project=project,
        data=_place("LTH_DATA_DIR", base / "data"),
        store=_place("LTH_STORE_DIR", base / ".lth" / "store"),
        remote=_remote("LTH_STORE_REMOTE"),
        cache=_place("LTH_CACHE_DIR", base / ".lth" / "cache"),
        allowed=_folders("LTH_ALLOWED_DIRS"),
        dagster=_place("DAGSTER_HOME", base / ".lth" / "dagster"),
        mlflow=mlflow,
        reports=base / "reports",
        experiments=_place("LTH_EXPERIMENTS_DIR", base / "experiments"),
        tracking_uri=tracking_uri,
        dagster_ui=os.environ.get("LTH_DAGSTER_UI", "http://127.0.0.1:3000").rstrip("/"),
        mlflow_ui=os.environ.get("LTH_MLFLOW_UI", ui).rstrip("/"),
        device=_device(os.environ.get("LTH_DEVICE") or "auto"),
        devices=_devices("LTH_DEVICES_DIR"),
        processes=_number("LTH_PROCESSES"),
        together=_number("LTH_TOGETHER"),
        checkpoint_seconds=_amount("LTH_CHECKPOINT_SECONDS", 30.0, "seconds, such as 30 or 0.5"),
        replicates=_number("LTH_REPLICATES"),
        memory=int(_amount("LTH_MEMORY_GB", 4.0, "gigabytes, such as 4 or 0.5") * 2**30),
        deepest_round=_number("LTH_DEEPEST_ROUND"),
        nightly=_cron(os.environ.get("LTH_NIGHTLY") or "0 2 * * *"),
        timezone=_timezone(os.environ.get("LTH_TIMEZONE") or "UTC"),
        dagster_database=_database("LTH_DAGSTER_DATABASE"),
    )


def environment(home: Home) -> dict[str, str]:
    """The variables that give another process, wherever it runs, the same places."""
    database = {"LTH_DAGSTER_DATABASE": home.dagster_database} if home.dagster_database else {}
    return {
        **database,
        "LTH_HOME": str(home.mlflow.parent),
        "LTH_DATA_DIR": str(home.data),
        "LTH_STORE_DIR": str(home.store),
        "LTH_STORE_REMOTE": home.remote,
        "LTH_CACHE_DIR": str(home.cache),
        "LTH_ALLOWED_DIRS": os.pathsep.join(map(str, home.allowed)),
        "DAGSTER_HOME": str(home.dagster),
        "LTH_EXPERIMENTS_DIR": str(home.experiments),
        "MLFLOW_TRACKING_URI": home.tracking_uri,
    }


def _place(variable: str, default: Path) -> Path:
    return Path(os.environ.get(variable) or default).expanduser().resolve()


def _remote(variable: str) -> str:
    """The address as fsspec writes it; messages show it."""
    text = os.environ.get(variable) or ""
    if "@" in text or "?" in text:
        raise HomeError(
            f"{variable}: must hold no user, password or question mark; S3's are read from AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role"
        )
    if text and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s]+", text):
        raise HomeError(f"{variable}={text}: must be such as s3://bucket/prefix or file:///mnt/shared/store")
    return text


def _devices(variable: str) -> Path:
    """Never on a disk that several machines share. The default is not resolved: whoever made a link there is found."""
    if text := os.environ.get(variable):
        return Path(text).expanduser().resolve()
    return Path(tempfile.gettempdir()) / f"lth-devices-{os.getuid() if hasattr(os, 'getuid') else os.getpid()}"


def _folders(variable: str) -> tuple[Path, ...]:
    paths = [Path(text).expanduser() for text in os.environ.get(variable, "").split(os.pathsep) if text]
    for path in paths:
        if not path.is_absolute():
            raise HomeError(f"{variable}: {path}: must be absolute; several folders are separated by {os.pathsep!r}")
    return tuple(path.resolve() for path in paths)


def _number(variable: str) -> int:
    text = os.environ.get(variable) or "0"
    if not text.isdecimal() or int(text) > 1000:
        raise HomeError(f"{variable}={text}: must be a whole number up to 1000")
    return int(text)


def _amount(variable: str, default: float, such_as: str) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= 1e6:
        raise HomeError(f"{variable}={text}: must be a number of {such_as}")
    return number


def _database(variable: str) -> str:
    """The address as it was given: Dagster's own programs read the same variable. No message shows it."""
    text = os.environ.get(variable) or ""
    if _in_query(text):
        raise HomeError(f"{variable}: must hold no password behind the ?; keep it in a file that PGPASSFILE names")
    if text and not re.fullmatch(
        r"postgresql\+psycopg2://([^:@/?#\s]+(:[^:@/?#\s]*)?@)?[^@/?#\s]*/[^/?#\s]+(\?\S*)?", text
    ):
        raise HomeError(
            f"{variable}: must be postgresql+psycopg2://USER@HOST:PORT/DATABASE (Dagster needs the driver psycopg2), a "
            f"password in it percent-encoded (@ as %40, / as %2F, : as %3A); better: keep that in a file that "
            f"PGPASSFILE names"
        )
    return text


def _in_query(address: str) -> bool:
    return bool(re.search(r"[?&](ssl)?password=", address, re.IGNORECASE))


def _refuse_password(tracking_uri: str) -> None:
    """Links to a server stand in tags and on pages that others read, a database's address on command lines."""
    if re.match(r"https?://[^/?#]*@", tracking_uri):
        remedy = "give user and password as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    elif re.match(r"\w[\w+.-]*://[^/?#@]*:[^/?#]*@", tracking_uri) or _in_query(tracking_uri):
        remedy = "keep it in a file that PGPASSFILE names"
    else:
        return
    raise HomeError(f"MLFLOW_TRACKING_URI: must hold no password; {remedy}")


def _cron(text: str) -> str:
    if not re.fullmatch(r"[\d*/,A-Za-z-]+( [\d*/,A-Za-z-]+){4}", text.strip()):
        raise HomeError(f"LTH_NIGHTLY={text}: must be five fields as cron writes them: 0 2 * * * is two at night")
    return text.strip()


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise HomeError(f"LTH_TIMEZONE={text}: must be a time zone such as UTC or Europe/Berlin") from None
    return text


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise HomeError(f"LTH_DEVICE={text}: must be auto, cpu, cuda or cuda:N")
    return text


def _project() -> Path:
    here = Path.cwd()
    for folder in (*(here, *here.parents), PACKAGE.parent):
        if (folder / "workspace.yaml").is_file() and (folder / "lth_pipeline").is_dir():
            return folder
    return here
