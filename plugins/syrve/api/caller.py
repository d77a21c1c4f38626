"""Carries a call from its permit to its end: the one loop of permits, tokens and repeats, over either transport.

It is written once, as coroutines. A blocking transport never suspends them, so `run_blocking` gets the result of the first step.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from syrve.api.config import OnWait, SyrveConfig
from syrve.api.dialects import Dialect
from syrve.api.endpoints import Endpoint, Family
from syrve.api.errors import RateLimited, SyrveError
from syrve.api.permits import PLACE_SECONDS, PermitLine, Permits
from syrve.api.protocol import (
    Answer,
    Backoff,
    Call,
    CallStats,
    Done,
    Failed,
    Fault,
    Request,
    Verdict,
    is_transient,
    paused,
    refuses_token,
)
from syrve.api.tokens import TokenKeeper, token_question

T = TypeVar("T")


class Carrier(Protocol):
    """Carries out what a call needs of the outside: a request, a wait, a word with the keeper of the permits."""

    async def send(self, request: Request) -> Answer | Fault:
        """Send one request, once."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that may block."""
        ...

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Return a new lock for the calls that share this carrier."""
        ...


def run_blocking(call: Coroutine[Any, Any, T]) -> T:
    """Run a call over a carrier that blocks, and return its result."""
    try:
        call.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    call.close()
    raise RuntimeError("a blocking carrier suspended a call")


class Caller:
    """Makes calls over one carrier, with one token and one line of permits per family; calls may run side by side.

    `on_token` is called with every new token before it is used, so that logs can mask it; `on_wait` before each repeat of a call, with
    what went wrong and for how many seconds it waits. `stats` gives the statistics to count in.

    With `is_batch` the calls are parts of batches (`begin_batch`): a refused login ends all of a batch, a pause that Syrve asked for
    holds back all, a call that fails while others are answered is given up early, and permits are taken for all that is unfinished.
    Otherwise the calls have nothing to do with each other, and permits are taken one at a time, so that others get theirs in between.
    """

    def __init__(
        self,
        config: SyrveConfig,
        dialect: Dialect,
        carrier: Carrier,
        *,
        stats: Callable[[], CallStats],
        on_token: Callable[[str], None] | None = None,
        permits: Permits | None = None,
        on_wait: OnWait | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_batch: bool = False,
    ) -> None:
        self._config = config
        self._dialect = dialect
        self._carrier = carrier
        self._stats = stats
        self._on_token = on_token
        self._permits = permits
        self._on_wait = on_wait
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._is_batch = is_batch
        self._rng = random.Random()
        self._tokens = TokenKeeper(config.token_lifetime_seconds)
        self._token_lock = carrier.lock()
        self._lines = {family: PermitLine() for family in Family}
        self._gates = {family: carrier.lock() for family in Family}
        self.unfinished = 1
        self._resume_at = 0.0
        self._answered_at = 0.0
        self._no_token: SyrveError | None = None

    def begin_batch(self, calls: int) -> None:
        """Begin a batch of `calls` calls; `unfinished` is to be counted down as they end."""
        self._no_token = None
        self.unfinished = calls

    async def call(self, endpoint: Endpoint, body: Mapping[str, Any], *, failed_alone: bool = False) -> Any:
        """Carry out one call and return the parsed JSON; raise a `SyrveError`. `failed_alone`: it did so before, and gets less time."""
        now = self._clock
        if not self._takes_permit(endpoint.family):
            await self._await_permit(endpoint)
        call = Call(endpoint, body, self._config, started_at=now(), rng=self._rng, backoff=self._backoff)
        while True:
            while self._resume_at and (pause_seconds := self._resume_at - now()) > 0:
                if now() + pause_seconds > call.deadline:
                    raise paused(endpoint, pause_seconds)
                await self._carrier.sleep(pause_seconds)
            token = (self._tokens.current(now()) or await self._token()) if call.needs_token else None
            outcome = await self._sent(endpoint, call.request(token))
            verdict = call.decide(outcome, now(), math.inf if failed_alone else self._answered_at)
            self._stats().count(verdict)
            if self._is_batch and not is_transient(verdict) and endpoint.family is not Family.AUTH:
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
            await self._carrier.sleep(verdict.wait_seconds)
            if not self._takes_permit(endpoint.family):
                await self._await_permit(endpoint)

    def _note_token(self, endpoint: Endpoint, token: str | None, outcome: Answer | Fault, verdict: Verdict) -> None:
        """Report the outcome of a token to its keeper; raise `AuthenticationFailed` if none is ever accepted."""
        if not refuses_token(verdict):
            if isinstance(outcome, Answer):
                self._tokens.accept(token)
            return
        self._tokens.drop(token)
        refusal = self._tokens.refusal(endpoint.operation)
        if refusal is not None:
            raise refusal

    async def _hold_back(self, family: Family, wait_seconds: float) -> None:
        """Pause all calls of a family by way of the budget, and those of this batch at once."""
        self._lines[family].drop()
        if self._is_batch:
            self._resume_at = max(self._resume_at, self._clock() + wait_seconds)
        if self._permits is not None and family is not Family.AUTH:
            await self._carrier.ask(self._permits.pause, family, wait_seconds)

    def _takes_permit(self, family: Family) -> bool:
        """Take a permit if one is due already; without a budget every call has its permit."""
        return self._permits is None or family is Family.AUTH or self._lines[family].take_due(self._clock())

    async def _await_permit(self, endpoint: Endpoint) -> None:
        """Wait for the moment of the next permit; raise `RateLimited` if a pause outlasts the call."""
        assert self._permits is not None
        family = endpoint.family
        line = self._lines[family]
        while (moment := line.next_moment(self._clock())) is None:
            async with self._gates[family]:
                if line:
                    continue
                grant = await self._carrier.ask(self._permits.take, family, self.unfinished)
                if grant.is_paused and grant.wait_seconds > self._config.call_deadline_seconds:
                    raise paused(endpoint, grant.wait_seconds)
                line.add(grant, self._clock())
                if not (grant.count and self._is_batch):
                    await self._carrier.sleep(grant.wait_seconds)
        if (wait_seconds := moment - self._clock()) > 0:
            await self._carrier.sleep(wait_seconds)

    async def _token(self) -> str:
        async with self._token_lock:
            token = self._tokens.current(self._clock())
            if token is None and self._no_token is not None:
                raise self._no_token
            if token is None:
                await self._carrier.sleep(self._tokens.renewal_wait_seconds(self._clock()))
                token = await self._new_token()
                if self._on_token is not None:
                    self._on_token(token)
            return token

    async def _new_token(self) -> str:
        """Get a token once for all calls that wait for it; in a batch they all end with its refusal instead of trying again."""
        try:
            answer = await self.call(*token_question(self._config, self._dialect))
            return self._tokens.keep(answer, self._clock())
        except SyrveError as error:
            if self._is_batch:
                self._no_token = error
            raise

    async def _sent(self, endpoint: Endpoint, request: Request) -> Answer | Fault:
        """Send a request, in a place for calls under way if those are bounded, and report to the keeper how long the answer took."""
        permits, family = self._permits, endpoint.family
        if permits is None or family is Family.AUTH:
            return await self._carrier.send(request)
        bounded = permits.bounds_in_flight(family)
        give_up_at = self._clock() + self._config.call_deadline_seconds
        while bounded and not await self._carrier.ask(permits.enter, family):
            if self._clock() > give_up_at:
                raise paused(endpoint, PLACE_SECONDS)
            await self._carrier.sleep(PLACE_SECONDS)
        try:
            started = self._clock()
            outcome = await self._carrier.send(request)
        finally:
            if bounded:
                permits.leave(family)
        if isinstance(outcome, Answer):
            permits.answered(family, self._clock() - started)
        return outcome
