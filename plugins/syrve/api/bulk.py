"""Looks up many customers at once with `aiohttp` on uvloop: the same protocol, another transport."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import aiohttp
import uvloop

from syrve.api import decode
from syrve.api.bulk_http import calm_collector, headers_of, proxy_for, read_body
from syrve.api.config import CONNECT_TIMEOUT_SECONDS, OnWait, SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.endpoints import CUSTOMER_INFO, Endpoint, Family
from syrve.api.errors import LoyaltyNotConfigured, MalformedAnswer, RateLimited, Rejected, SyrveError, Transient
from syrve.api.fields import BadField
from syrve.api.models import Customer, Lookup
from syrve.api.permits import PLACE_SECONDS, PermitLine, Permits
from syrve.api.protocol import (
    Answer,
    Backoff,
    Call,
    CallStats,
    Done,
    Failed,
    Fault,
    FaultKind,
    Request,
    Verdict,
    is_transient,
    paused,
    refuses_token,
)
from syrve.api.tokens import TokenKeeper, token_question

READ_TOGETHER = 64
"""Answers are made into customers so many at a time: in one go it takes half as long as one by one, amid everything else."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The end of one look-up: a customer, or the error that it ended with.

    `received_at` is the time (UTC) of the last answer. `payload` is the parsed answer, kept only where it could not be taken in.
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

    A refused login, a missing right or a wrong connection ends the whole batch by raising; whatever concerns one customer only is part
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
        self._on_token = on_token
        self._on_wait = on_wait
        self._backoff = backoff or Backoff()
        self._rng = random.Random()
        self._tokens = TokenKeeper(config.token_lifetime_seconds)
        self._permits = permits
        self._line = PermitLine()
        self._unfinished = 0
        self._resume_at = 0.0
        self._answered_at = 0.0
        self._failed_alone: set[Lookup] = set()
        self._no_token: SyrveError | None = None
        self._batch: asyncio.Task[Any] | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._session = self._runner.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._session.close())
        finally:
            self._runner.close()

    async def _open(self) -> aiohttp.ClientSession:
        self._token_lock = asyncio.Lock()
        self._permit_lock = asyncio.Lock()
        connector = aiohttp.TCPConnector(limit=self._config.max_concurrency, keepalive_timeout=30)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=self._config.timeout_seconds,
                sock_connect=min(self._config.timeout_seconds, CONNECT_TIMEOUT_SECONDS),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # the service uses none, and looking for them costs time at every request
            proxy=proxy_for(self._config.base_url),
        )

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
        self._no_token = None
        self._unfinished = len(lookups)
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
                self._unfinished -= 1
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
            answer = await self._call(CUSTOMER_INFO, body, failed_alone=lookup in self._failed_alone)
        except LoyaltyNotConfigured:
            raise  # it concerns the whole organization, not one customer
        except (Rejected, MalformedAnswer, Transient) as error:
            if error.operation != CUSTOMER_INFO.operation and not isinstance(error, Transient):
                raise  # without a token nobody can be looked up
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

    async def _call(self, endpoint: Endpoint, body: Mapping[str, Any], *, failed_alone: bool = False) -> Any:
        now = time.monotonic
        if not self._takes_permit(endpoint.family):
            await self._await_permit(endpoint)
        call = Call(endpoint, body, self._config, started_at=now(), rng=self._rng, backoff=self._backoff)
        while True:
            while self._resume_at and (pause_seconds := self._resume_at - now()) > 0:
                if now() + pause_seconds > call.deadline:
                    raise paused(endpoint, pause_seconds)
                await asyncio.sleep(pause_seconds)
            token = (self._tokens.current(now()) or await self._token()) if call.needs_token else None
            outcome = await self._sent(endpoint, call.request(token))
            verdict = call.decide(outcome, now(), math.inf if failed_alone else self._answered_at)
            self.stats.count(verdict)
            if not is_transient(verdict) and endpoint.family is not Family.AUTH:
                self._answered_at = now()
            if isinstance(verdict, Done):
                self._tokens.accept(token)
                return verdict.value
            self._note_token(endpoint, token, outcome, verdict)
            if isinstance(verdict, Failed):
                if isinstance(verdict.error, RateLimited):
                    await self._hold_back(endpoint.family, verdict.error.wait_seconds or 0.0)
                raise verdict.error
            if verdict.rate_limited:
                await self._hold_back(endpoint.family, verdict.wait_seconds)
            if self._on_wait is not None and verdict.error is not None:
                self._on_wait(verdict.error, verdict.wait_seconds)
            await asyncio.sleep(verdict.wait_seconds)
            if not self._takes_permit(endpoint.family):
                await self._await_permit(endpoint)

    def _note_token(self, endpoint: Endpoint, token: str | None, outcome: Answer | Fault, verdict: Verdict) -> None:
        """Tell the keeper what became of a token; raise `AuthenticationFailed` where none is ever accepted."""
        if not refuses_token(verdict):
            if isinstance(outcome, Answer):
                self._tokens.accept(token)
            return
        self._tokens.drop(token)
        refusal = self._tokens.refusal(endpoint.operation)
        if refusal is not None:
            raise refusal

    async def _hold_back(self, family: Family, wait_seconds: float) -> None:
        """Pause everybody's calls of a family: ours here, the others' by way of the budget."""
        self._resume_at = max(self._resume_at, time.monotonic() + wait_seconds)
        self._line.drop()
        if self._permits is not None and family is not Family.AUTH:
            await asyncio.to_thread(self._permits.pause, family, wait_seconds)

    def _takes_permit(self, family: Family) -> bool:
        """Take a permit if one is due already; without a budget every call has its permit."""
        return self._permits is None or family is Family.AUTH or self._line.take_due(time.monotonic())

    async def _await_permit(self, endpoint: Endpoint) -> None:
        """Wait for the moment of the next permit; raise `RateLimited` where a pause outlasts the call."""
        assert self._permits is not None
        while (moment := self._line.next_moment(time.monotonic())) is None:
            async with self._permit_lock:
                if not self._line:
                    grant = await asyncio.to_thread(self._permits.take, endpoint.family, self._unfinished)
                    if grant.is_paused and grant.wait_seconds > self._config.call_deadline_seconds:
                        raise paused(endpoint, grant.wait_seconds)
                    self._line.add(grant, time.monotonic())
                    if not grant.count:
                        await asyncio.sleep(grant.wait_seconds)
        if (wait_seconds := moment - time.monotonic()) > 0:
            await asyncio.sleep(wait_seconds)

    async def _token(self) -> str:
        async with self._token_lock:
            token = self._tokens.current(time.monotonic())
            if token is None and self._no_token is not None:
                raise self._no_token
            if token is None:
                await asyncio.sleep(self._tokens.renewal_wait_seconds(time.monotonic()))
                token = await self._ask_for_token()
                if self._on_token is not None:
                    self._on_token(token)
            return token

    async def _ask_for_token(self) -> str:
        """Ask once for all look-ups under way: those that wait for the token learn of a refusal instead of asking again."""
        try:
            answer = await self._call(*token_question(self._config, self._dialect))
            return self._tokens.keep(answer, time.monotonic())
        except SyrveError as error:
            self._no_token = error
            raise

    async def _sent(self, endpoint: Endpoint, request: Request) -> Answer | Fault:
        """Send a request, in a place for calls under way where those are bounded, and tell the keeper how long the answer took."""
        permits, family = self._permits, endpoint.family
        if permits is None or family is Family.AUTH:
            return await self._send(request)
        bounded = permits.bounds_in_flight(family)
        while bounded and not await asyncio.shield(asyncio.to_thread(permits.enter, family)):
            await asyncio.sleep(PLACE_SECONDS)
        try:
            started = time.monotonic()
            outcome = await self._send(request)
        finally:
            if bounded:
                permits.leave(family)
        if isinstance(outcome, Answer):
            permits.answered(family, time.monotonic() - started)
        return outcome

    async def _send(self, request: Request) -> Answer | Fault:
        try:
            response = await self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            )
            try:
                body = await read_body(response)
            finally:
                response.release()  # for other requests; closes the connection where the answer was not read to its end
            if body is None:
                return Fault(FaultKind.TOO_LARGE)
            return Answer(response.status, headers_of(response), body)
        except aiohttp.ConnectionTimeoutError:
            return Fault(FaultKind.REFUSED)
        except TimeoutError:
            return Fault(FaultKind.TIMEOUT)
        except aiohttp.ClientConnectorCertificateError:
            return Fault(FaultKind.UNTRUSTED)
        except aiohttp.ClientConnectorError:
            return Fault(FaultKind.REFUSED)
        except aiohttp.ClientPayloadError:
            return Fault(FaultKind.CUT_SHORT)
        except (aiohttp.ClientError, OSError):
            return Fault(FaultKind.RESET)
