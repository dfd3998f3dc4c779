"""Dagster behind the guard: what `dagster dev` starts, with the web server's application wrapped.

`dagster dev` itself cannot be told to ask who is there, nor under which name it is asked. As there, one code server
serves the web pages and the daemon. It is left to end by itself: while runs go on it waits for them.

`ProxyServerManager`, `WorkspaceFileTarget` and `WorkspaceProcessContext` are Dagster's own, not public: pyproject.toml
pins its release, and lth_pipeline_tests/servers/test_dagster.py says what to look at when a new one moves them.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from lth_pipeline.home import find_home
from lth_pipeline.servers.cards import followed, state_of
from lth_pipeline.servers.guard import unframed
from lth_pipeline.servers.serve import end_when_left, options, serve


def main() -> None:
    chosen = options("dagster")
    end_when_left()
    # a queued backfill waits for a location that does not load just now, or has not seen its card yet
    os.environ["DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR"] = "1"
    os.environ["DAGSTER_IS_DEV_CLI"] = "1"  # as `dagster dev`: a code location that fails says so without a stack trace
    with suppress(KeyboardInterrupt):
        _run(chosen)


def _run(chosen: argparse.Namespace) -> None:
    import yaml
    from dagster import DagsterInstance, __version__
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    folder_of_cards = find_home().experiments
    cards = state_of(folder_of_cards)  # before the code server reads them: what changes meanwhile is loaded anew
    with (
        DagsterInstance.get() as instance,
        ProxyServerManager(instance, WorkspaceFileTarget(["workspace.yaml"]), "warning") as code,
        TemporaryDirectory() as folder,
    ):
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(yaml.dump({"load_from": code.get_code_server_specs()}))
        target = WorkspaceFileTarget([str(workspace)])
        with _daemon(workspace):
            # the limits of dagster-webserver: milliseconds a statement, seconds a connection, connections
            instance.optimize_for_webserver(15_000, 3_600, 20)
            with (
                WorkspaceProcessContext(
                    instance, target, version=__version__, read_only=False, code_server_log_level="warning"
                ) as context,
                followed(folder_of_cards, cards, lambda: _load_anew(context)),
            ):
                serve(unframed(create_app_from_workspace_process_context(context)), chosen, "warning")


def _load_anew(context) -> None:
    for location in context.create_request_context().code_location_names:
        context.reload_code_location(location)


@contextmanager
def _daemon(workspace: Path) -> Iterator[None]:
    """The daemon, with this process's standard input. When it ends by itself, this process ends, too."""
    daemon = subprocess.Popen([sys.executable, "-m", "lth_pipeline.servers.daemon", str(workspace)])
    ending = threading.Event()

    def watch() -> None:
        daemon.wait()
        if not ending.is_set():
            print(f"dagster-daemon ended with status {daemon.returncode}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ending.set()
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()


if __name__ == "__main__":
    main()
