"""Keeps what was received: one insert for all that wait, and no sender gets a yes before it is committed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Protocol

from syrve.signals.errors import Overloaded
from syrve.signals.keeping import Received, keep_events
from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

STATEMENT_TIMEOUT_MS = 5_000
BATCH_EVENTS = 2_000


class Keeps(Protocol):
    """What the receiver needs of a store."""

    async def keep(self, events: Received) -> None:
        """Return once the events are committed; raise `WarehouseError` or `Overloaded` if they may not be."""
        ...

    async def secrets(self) -> list[tuple[str, bytes]]:
        """Read the organizations and hashes of the secrets in force; raises `WarehouseError`."""
        ...


class SignalStore:
    """Writes signals over one connection, on a separate thread; while one batch commits, the next one gathers.

    At most `max_waiting` events wait: beyond that senders are asked to repeat. A connection that broke is opened again with the next batch.
    """

    def __init__(self, warehouse: Warehouse, *, max_waiting: int = 20_000) -> None:
        self._warehouse = warehouse
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Received, asyncio.Future[None]]] = deque()
        self._waiting_events = 0
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="signals")
        self._session = ExitStack()
        self._connection: Connection | None = None

    async def keep(self, events: Received) -> None:
        """Return once the events are committed."""
        if not events:
            return
        if self._waiting_events + len(events) > self._max_waiting:
            raise Overloaded("too many signals wait for the warehouse")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, done))
        self._waiting_events += len(events)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def secrets(self) -> list[tuple[str, bytes]]:
        """Read the organizations and hashes of the secrets in force."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read_secrets)

    def close(self) -> None:
        """Close the connection once the batch under way is over."""
        self._thread.submit(self._session.close).result()
        self._thread.shutdown()

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            events = [each for received, _ in batch for each in received]
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._insert, events)
            except WarehouseUnavailable as error:
                _tell(batch, error)
            except WarehouseError:
                await self._write_singly(batch)
            except BaseException as error:
                _tell(batch, error)
                raise
            else:
                _tell(batch, None)

    def _next_batch(self) -> list[tuple[Received, asyncio.Future[None]]]:
        batch: list[tuple[Received, asyncio.Future[None]]] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0][0]) <= BATCH_EVENTS):
            batch.append(self._waiting.popleft())
            count += len(batch[-1][0])
        self._waiting_events -= count
        return batch

    async def _write_singly(self, batch: Sequence[tuple[Received, asyncio.Future[None]]]) -> None:
        """Write each request by itself, so that one which Postgres refuses does not take others along."""
        for each in batch:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._insert, each[0])
            except WarehouseError as error:
                _tell([each], error)
            else:
                _tell([each], None)

    def _insert(self, events: Received) -> None:
        try:
            self._execute(events)
        except WarehouseUnavailable:
            self._execute(events)  # the connection may have been dead for long: once more over a new one

    def _execute(self, events: Received) -> None:
        try:
            with transaction(self._open(), "keep signals") as cursor:
                keep_events(cursor, events, "webhook")
        except WarehouseUnavailable:
            self._drop()
            raise

    def _read_secrets(self) -> list[tuple[str, bytes]]:
        try:
            with transaction(self._open(), "read the secrets of senders") as cursor:
                cursor.execute(sql("signals/secrets.sql"))
                return [(organization_id, bytes(secret_hash)) for organization_id, secret_hash in cursor.fetchall()]
        except WarehouseError:
            self._drop()
            raise

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._session.enter_context(self._warehouse.connect())
            with transaction(connection, "begin to keep signals") as cursor:
                cursor.execute("select set_config('statement_timeout', %s, false)", (str(STATEMENT_TIMEOUT_MS),))
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        self._connection = None
        self._session.close()


def _tell(batch: Sequence[tuple[Received, asyncio.Future[None]]], error: BaseException | None) -> None:
    for _, done in batch:
        if done.done():
            continue  # who asked is gone
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
