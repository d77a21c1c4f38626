"""Looks up many customers at once on uvloop: the loop of `syrve.api.caller` for each, over one transport."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import uvloop

from syrve.api import decode
from syrve.api.caller import Caller
from syrve.api.config import OnWait, SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.endpoints import CUSTOMER_INFO
from syrve.api.errors import LoyaltyNotConfigured, MalformedAnswer, Rejected, SyrveError, Transient
from syrve.api.fields import BadField
from syrve.api.models import Customer, Lookup
from syrve.api.permits import Permits
from syrve.api.protocol import Backoff, CallStats
from syrve.api.transports.concurrent import ConcurrentTransport

CALM_THRESHOLD = 20_000
READ_TOGETHER = 64
"""How many answers are made into customers at a time: together it takes half as long as one by one between other work."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The end of one look-up: a customer, or the error that it ended with.

    `received_at` is the time (UTC) of the last answer. `payload` is the parsed answer, kept only where it could not be imported.
    """

    lookup: Lookup
    received_at: datetime
    customer: Customer | None = None
    error: SyrveError | None = None
    payload: Any = field(default=None, repr=False)


class _Answered(NamedTuple):
    lookup: Lookup
    received_at: datetime
    answer: Any


class BulkLookup:
    """Looks customers up, at most `config.max_concurrency` at a time, over one event loop that lives as long as the context.

    A refused login, a missing right or a wrong connection ends the whole batch by raising; what concerns one customer only is part
    of that customer's result.
    """

    def __init__(
        self,
        config: SyrveConfig,
        *,
        on_token: Callable[[str], None] | None = None,
        permits: Permits | None = None,
        on_wait: OnWait | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.stats = CallStats()
        self._config = config
        self._dialect = dialect_named(config.dialect)
        self._time_zone = ZoneInfo(config.time_zone)
        self._transport = ConcurrentTransport(config)
        self._caller = Caller(
            config,
            self._dialect,
            self._transport,
            stats=lambda: self.stats,
            on_token=on_token,
            permits=permits,
            on_wait=on_wait,
            backoff=backoff,
            is_batch=True,
        )
        self._failed_alone: set[Lookup] = set()
        self._batch: asyncio.Task[Any] | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._runner.run(self._transport.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._transport.close())
        finally:
            self._runner.close()

    def look_up(self, lookups: Sequence[Lookup]) -> list[LookupResult]:
        """Look up a batch and return a result for each, in the same order; raise a `SyrveError` that concerns them all."""
        with calm_collector():
            return self._runner.run(self._look_up_all(lookups))

    def stop(self) -> None:
        """End the look-ups under way and take no more; may be called from another thread, where `look_up` raises `CancelledError`."""
        self._stopped = True
        self._runner.get_loop().call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._batch is not None:
            self._batch.cancel()

    async def _look_up_all(self, lookups: Sequence[Lookup]) -> list[LookupResult]:
        if self._stopped:
            raise asyncio.CancelledError
        self._batch = asyncio.current_task()
        self._caller.begin_batch(len(lookups))
        results: list[LookupResult | None] = [None] * len(lookups)
        unread: list[tuple[int, _Answered]] = []
        queue = iter(enumerate(lookups))

        def read() -> None:
            for index, answered in unread:
                results[index] = self._result(answered)
            unread.clear()

        async def work() -> None:
            for index, lookup in queue:
                ending = await self._look_up_one(lookup)
                self._caller.unfinished -= 1
                if isinstance(ending, LookupResult):
                    results[index] = ending
                    continue
                unread.append((index, ending))
                if len(unread) >= READ_TOGETHER:
                    read()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._config.max_concurrency, len(lookups))):
                    group.create_task(work())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        read()
        return [result for result in results if result is not None]

    async def _look_up_one(self, lookup: Lookup) -> _Answered | LookupResult:
        """Return what Syrve answered, still to be read, or the error that the look-up ended with."""
        try:
            body = self._dialect.body(CUSTOMER_INFO.operation, lookup)
            answer = await self._caller.call(CUSTOMER_INFO, body, failed_alone=lookup in self._failed_alone)
        except LoyaltyNotConfigured:
            raise  # it concerns the whole organization, not one customer
        except (Rejected, MalformedAnswer, Transient) as error:
            if error.operation != CUSTOMER_INFO.operation and not isinstance(error, Transient):
                raise  # without a token no customer can be looked up
            if isinstance(error, Transient) and error.failed_alone:
                self._failed_alone.add(lookup)
            return LookupResult(lookup, datetime.now(UTC), error=error)
        return _Answered(lookup, datetime.now(UTC), answer)

    def _result(self, answered: _Answered) -> LookupResult:
        lookup, received_at, answer = answered
        try:
            return LookupResult(lookup, received_at, decode.customer(answer, time_zone=self._time_zone))
        except BadField as problem:
            error = MalformedAnswer(str(problem), operation=CUSTOMER_INFO.operation)
            return LookupResult(lookup, received_at, error=error, payload=answer)


@contextmanager
def calm_collector() -> Iterator[None]:
    """Look for reference cycles less often while a batch is in work: its many records have none, and looking took a sixth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(CALM_THRESHOLD, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
