"""PostgreSQL for Dagster's runs, events and schedules: said in dagster.yaml, and tried before anything needs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from lth_pipeline.files import write_atomically
from lth_pipeline.home import Home

VARIABLE = "LTH_DAGSTER_DATABASE"
FIRST = f"# >>> written by lth, which takes it away when {VARIABLE} is not set"
LAST = "# <<< written by lth"
STORAGE = {"postgres": {"postgres_url": {"env": VARIABLE}}}
BLOCK = f"""\
{FIRST}
storage:
  postgres:
    postgres_url:
      env: {VARIABLE}
{LAST}
"""
OWN = ("storage", "run_storage", "event_log_storage", "schedule_storage")
SECONDS = 5  # that a database is given to answer


class InstanceError(Exception):
    """Dagster's folder, or its database, cannot be used."""


def name_storage(settings: Path, home: Home) -> None:
    """See to it that Dagster's settings file names the database where `home` has one, and does not where it has none.

    A storage section of the user's own stays, and wins. Raises InstanceError where it is not the variable's database.
    """
    text = settings.read_text() if settings.is_file() else ""
    own = _without_block(text)
    if not home.dagster_database:
        wanted = own
    elif chosen := _own_storage(settings, own):
        if chosen != {"storage": STORAGE}:
            raise InstanceError(
                f"{settings}: has its own {', '.join(chosen)}, and {VARIABLE} names another database; "
                f"take that out of the file, or unset the variable"
            )
        wanted = own
    else:
        wanted = f"{own}{'' if own.endswith(chr(10)) or not own else chr(10)}{BLOCK}"
    if wanted != text:
        write_atomically(settings, wanted.encode())


def try_database(home: Home) -> None:
    """Connect to the database of `home` and let go. Raises InstanceError in one line, without the password."""
    if not home.dagster_database:
        return
    if not (find_spec("dagster_postgres") and find_spec("psycopg2")):
        raise InstanceError(f"{VARIABLE}: needs dagster-postgres and psycopg2: pip install --editable '.[postgres]'")
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    address = make_url(home.dagster_database)
    options = {} if "connect_timeout" in address.query else {"connect_timeout": SECONDS}
    try:
        create_engine(address, poolclass=NullPool, connect_args=options).connect().close()
    except (SQLAlchemyError, UnicodeError) as error:
        raise InstanceError(
            f"{VARIABLE}: {address.render_as_string(hide_password=True)} cannot be used ({_said(error)})"
        ) from None


def _said(error: Exception) -> str:
    """What the database said, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _without_block(text: str) -> str:
    lines, inside, kept = text.splitlines(keepends=True), False, []
    for line in lines:
        inside = inside or line.strip() == FIRST
        if not inside:
            kept.append(line)
        inside = inside and line.strip() != LAST
    return "".join(kept)


def _own_storage(settings: Path, text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text) or {}
        return {name: found[name] for name in OWN if name in found}
    except (yaml.YAMLError, TypeError) as error:
        raise InstanceError(f"{settings}: cannot be read ({' '.join(str(error).split())})") from None
