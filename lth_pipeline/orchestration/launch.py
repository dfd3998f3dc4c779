"""Real Dagster runs for `lth run`, side by side: one per replicate, each through all its rounds in one process, and
those that gather what they have shown."""

from __future__ import annotations

import gc
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

from lth_pipeline.files import ensure_writable

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
    after: tuple[str, ...] = ()  # partitions whose tasks must have ended before
    begins: str = ""  # what its first training is: two tasks that begin alike had better not do so side by side


def run_tasks(tasks: Sequence[Task], workers: int) -> Iterator[Event]:
    """Run `tasks` in at most `workers` processes; gives what they tell as it comes.

    Events: ("row", …) and ("asset", …) of orchestration/progress.py, each with the partition that it is of, and for
    each task ("done", {task, success, run_id, errors}). Left early (Ctrl-C), the workers are stopped and waited for.
    """
    context = warm_up()
    queue = list(tasks)
    running: dict[Connection, Any] = {}
    told: list[Task] = []  # those that said how they ended
    try:
        while queue or running:
            while len(running) < workers and (task := _next(queue, [task for task, _ in running.values()])):
                queue.remove(task)
                running.update([_start(context, task)])
            for connection in wait(list(running)):
                try:
                    event = connection.recv()
                except EOFError:
                    task, process = running.pop(connection)
                    process.join()
                    if process.exitcode and task not in told:
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
                if event[0] == "done":
                    told.append(event[1]["task"])
                yield event
    finally:
        _stop([process for _, process in running.values()])


def _next(queue: Sequence[Task], running: Sequence[Task]) -> Task | None:
    """The first task that may start. One that begins as a running one does comes after the others: once that one's
    first training is in the store, it is only looked up."""
    unfinished = {task.partition for task in (*queue, *running)}
    ready = [task for task in queue if not unfinished & set(task.after)]
    begun = {task.begins for task in running if task.begins}
    return next((task for task in ready if task.begins not in begun), ready[0] if ready else None)


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


def _cut_short(task: Task, error: Exception) -> str:
    from lth_pipeline.orchestration.instance import InstanceError

    try:
        ensure_writable(task.instance, InstanceError)
    except InstanceError as plain:
        return str(plain)
    said = error.__cause__ if type(error).__name__ == "DagsterPostgresException" else error  # it counted its attempts
    told = str(getattr(said, "orig", said)).partition("\n")[0]  # of SQLAlchemy's, what the database said
    return f"Dagster could not go on, with {task.instance} as its folder ({type(error).__name__}: {told})"


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
    from dagster._core.storage.tags import MAX_RETRIES_TAG

    from lth_pipeline.orchestration import progress
    from lth_pipeline.orchestration.event_log import kept_open
    from lth_pipeline.orchestration.execute import execute
    from lth_pipeline.processes import PROCESS_TAG, process_mark

    def tell(event: str, details: dict[str, Any]) -> None:
        try:
            connection.send((event, {"partition": task.partition, **details}))
        except OSError:  # whoever started us is gone
            raise KeyboardInterrupt from None

    progress.listen(tell)
    definitions = import_module(task.location).defs
    # Python collects all when the new objects are a quarter of the old ones. The half million of the imports set aside,
    # it does so within a few rounds, and quickly: else what figures leave behind adds up to 2 MB a round.
    gc.freeze()
    # begun again by the next `lth run`, not by Dagster's daemon
    tags = {**task.tags, PROCESS_TAG: f"@{process_mark()}", MAX_RETRIES_TAG: "0"}
    try:
        with DagsterInstance.from_config(str(task.instance)) as instance, kept_open(instance):
            run_id, success, errors = execute(
                definitions, task.location, instance, task.job, task.partition, task.assets, tags, task.run_config
            )
    except Exception as error:  # Dagster's own: its database is full, say
        tell("done", {"task": task, "success": False, "run_id": "", "errors": [_cut_short(task, error)]})
        raise
    tell("done", {"task": task, "success": success, "run_id": run_id, "errors": errors})


def _end_with_parent() -> None:
    """Stop, as by Ctrl-C, when `lth run` is gone: nobody is left to tell, and the next one may begin."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGINT)


def _print_to(log: Path) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError:  # what cannot be written to is told by what comes next
        file = Path(os.devnull).open("ab")  # noqa: SIM115 (closed below)
    with file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
