"""Dagster's databases, used over connections that stay open for as long as a run or a command lasts.

Dagster opens a database for every event and closes it again. The last to close one writes its log back and flushes it
to the disk, and with each new engine SQLAlchemy compiles every statement anew: of a run of 83 assets that finds all
in the store, a third of the time. On PostgreSQL it logs in anew for everything that it asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from dagster import DagsterInstance
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    SqliteEventLogStorage,
)
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool, StaticPool


@contextmanager
def kept_open(instance: DagsterInstance) -> Iterator[None]:
    """Keep the connections of `instance`'s event log open within; on PostgreSQL those of all its storage. Of another
    kind nothing is changed."""
    storage = instance.event_log_storage
    if type(storage) is not SqliteEventLogStorage or "_connect" in vars(storage):
        with pooled(instance):
            yield
        return
    with ExitStack() as engines:

        @cache
        def engine_of(shard: str) -> Engine:
            address = storage.conn_string_for_shard(shard)
            # one connection for all threads: the storage's own lock lets them in one at a time
            options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(address, poolclass=StaticPool, connect_args=options)
            engines.callback(engine.dispose)
            storage._initdb(engine)
            return engine

        @contextmanager
        def connect(shard: str) -> Iterator[Connection]:
            with storage._db_lock, engine_of(shard).begin() as connection:
                yield connection

        there: set[str] = set()

        def has_table(name: str) -> bool:
            """A table that is there stays: asked for twice for every result of a check."""
            if name not in there and SqliteEventLogStorage.has_table(storage, name):
                there.add(name)
            return name in there

        storage._connect, storage.has_table = connect, has_table
        try:
            yield
        finally:
            del storage._connect, storage.has_table


@contextmanager
def pooled(instance: DagsterInstance) -> Iterator[None]:
    """Where `instance` is on PostgreSQL, its storage shares a few connections within. One that was lost, because the
    database was started anew, is noticed and replaced."""
    storages = [
        storage
        for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        if type(storage).__module__.startswith("dagster_postgres.")
    ]
    before = {id(storage): storage._engine for storage in storages}
    if not storages or any(type(engine.pool) is not NullPool for engine in before.values()):
        yield
        return
    engine = create_engine(storages[0]._engine.url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    for storage in storages:
        storage._engine = engine
    try:
        yield
    finally:
        for storage in storages:
            storage._engine = before[id(storage)]
        engine.dispose()
