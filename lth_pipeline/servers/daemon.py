"""Dagster's daemon (schedules, sensors, backfills, the queue, run monitoring): `dagster-daemon run`, left by no one."""

from __future__ import annotations

import sys

from lth_pipeline.servers.serve import end_when_left


def main() -> None:
    end_when_left()
    from dagster._daemon.cli import run_command  # the command behind `dagster-daemon run`, in this process

    arguments = ["--workspace", sys.argv[1], "--log-level", "info", "--code-server-log-level", "warning"]
    run_command.main(arguments, prog_name="dagster-daemon run")


if __name__ == "__main__":
    main()
