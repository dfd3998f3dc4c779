"""Real Dagster runs for `lth run`: one per replicate, side by side, each through all its rounds in one process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """One Dagster run. location: the module with `defs`; assets: names; partition: as Dagster writes it."""

    location: str
    job: str
    partition: str
    assets: tuple[str, ...]
    instance: Path  # the folder of the Dagster instance
    log: Path  # takes what the process prints
    tags: dict[str, str] = field(default_factory=dict)
    run_config: dict[str, Any] = field(default_factory=dict)


def run_tasks(tasks: Sequence[Task], workers: int) -> Iterator[Event]:
    """Run `tasks` in at most `workers` processes; gives what they tell as it comes.

    Events: ("row", …) and ("asset", …) of orchestration/progress.py, and for each task
    ("done", {task, success, run_id, errors}). Left early (Ctrl-C), the workers are stopped and waited for.
    """
    context = warm_up()
    queue = list(tasks)
    running: dict[Connection, Any] = {}
    try:
        while queue or running:
            while queue and len(running) < workers:
                running.update([_start(context, queue.pop(0))])
            for connection in wait(list(running)):
                try:
                    event = connection.recv()
                except EOFError:
                    task, process = running.pop(connection)
                    process.join()
                    if process.exitcode:
                        yield (
                            "done",
                            {
                                "task": task,
                                "success": False,
                                "run_id": "",
                                "errors": [_death(process.exitcode)],
                            },
                        )
                    continue
                yield event
    finally:
        _stop([process for _, process in running.values()])


def _stop(processes: list[Any]) -> None:
    """Interrupt `processes`, and again where one went on: Python drops an interrupt that comes in the middle of a
    weak reference's callback."""
    for _ in range(3):
        alive = [process for process in processes if process.is_alive()]
        for process in alive:
            os.kill(process.pid, signal.SIGINT)
        until = time.monotonic() + 5
        for process in alive:
            process.join(max(0.0, until - time.monotonic()))
    for process in processes:
        if process.is_alive():
            process.kill()


def warm_up():
    """The context of the workers. Its fork server imports torch, Dagster and MLflow once, five seconds that pass
    while the caller does other things; each worker is a fork of it and starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lth_pipeline.orchestration.preload"])
    forkserver.ensure_running()
    return context


def _start(context, task: Task):
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, task, dict(os.environ)), daemon=True)
    process.start()
    sender.close()
    return receiver, (task, process)


def _death(exit_code: int) -> str:
    return (
        f"its process was killed ({signal.Signals(-exit_code).name})"
        if exit_code < 0
        else f"its process ended with status {exit_code}"
    )


def _work(connection: Connection, task: Task, environment: dict[str, str]) -> None:
    os.setpgrp()  # Ctrl-C reaches `lth run` alone, which then stops its workers: once, not twice
    os.environ.update(environment)  # the fork server keeps that of its start
    _print_to(task.log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from dagster import DagsterInstance

    from lth_pipeline.orchestration import progress
    from lth_pipeline.orchestration.execute import execute
    from lth_pipeline.orchestration.instance import PROCESS_TAG, process_tag

    def tell(event: str, details: dict[str, Any]) -> None:
        try:
            connection.send((event, details))
        except OSError:  # whoever started us is gone
            raise KeyboardInterrupt from None

    progress.listen(tell)
    definitions = import_module(task.location).defs
    tags = {**task.tags, PROCESS_TAG: process_tag()}
    with DagsterInstance.from_config(str(task.instance)) as instance:
        run_id, success, errors = execute(
            definitions, task.location, instance, task.job, task.partition, task.assets, tags, task.run_config
        )
    tell("done", {"task": task, "success": success, "run_id": run_id, "errors": errors})


def _end_with_parent() -> None:
    """Stop, as by Ctrl-C, when `lth run` is gone: nobody is left to tell, and the next one may begin."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGINT)


def _print_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
