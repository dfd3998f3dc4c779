"""Dagster's daemon (schedules, sensors, backfills, the queue, run monitoring): `dagster-daemon run`, left by no one."""

from __future__ import annotations

import sys
from typing import Any

from lth_pipeline.home import find_home
from lth_pipeline.servers.serve import end_when_left

LOCK = 0x6C7468  # "lth", among the advisory locks of the database


def wait_until_alone(database: str) -> Any:
    """Of daemons on one PostgreSQL database one works at a time: two would give each run away twice. Gives what holds
    that right, which ends with this process; None for SQLite, whose home is one machine's."""
    if not database:
        return None
    import psycopg2

    held = psycopg2.connect(database.replace("+psycopg2", ""))
    held.autocommit = True
    with held.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            print("Another daemon is at work on this database; waiting until it ends.", file=sys.stderr, flush=True)
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    return held


def main() -> None:
    end_when_left()
    alone = wait_until_alone(find_home().dagster_database)  # noqa: F841 (held as long as this process lives)
    from dagster._daemon.cli import run_command  # the command behind `dagster-daemon run`, in this process

    arguments = ["--workspace", sys.argv[1], "--log-level", "info", "--code-server-log-level", "warning"]
    run_command.main(arguments, prog_name="dagster-daemon run")


if __name__ == "__main__":
    main()
