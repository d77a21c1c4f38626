"""Decides everything about a call without doing any I/O: what to send, what an answer means, whether and when to try again.

A transport asks a `Call` for its request, carries it out, and gives the outcome to `Call.decide`, until the verdict is final. Clocks are
monotonic seconds given by the transport, so every rule here is tested without a server and without waiting.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec
import simplejson

from syrve.api.answers import NeedsNewToken, interpret
from syrve.api.config import SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.endpoints import Endpoint, Family, Safety
from syrve.api.errors import (
    ConnectionFailed,
    Effect,
    MalformedAnswer,
    NotConnected,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    SyrveError,
    TokenRefused,
    Transient,
    UnreadableAnswer,
    UntrustedCertificate,
)
from syrve.api.money_answers import UNSETTLED
from syrve.api.reading import correlation_id, retry_after_seconds

UNREADABLE_DEADLINE_SECONDS = 10.0
"""An answer that is no JSON is seldom better a minute later, and others would wait for that one record."""
ALONE_DEADLINE_SECONDS = 10.0
"""How long a call is repeated that goes on failing while others like it are answered: the trouble is its own, and others wait for it."""

_JSON = msgspec.json.Encoder(decimal_format="number")


class FaultKind(StrEnum):
    """How an exchange can end without a whole answer."""

    REFUSED = "could not connect"
    UNTRUSTED = (
        "the certificate of the connection's host is not trusted, so nothing was sent; check the host, or name the file of its "
        "certificate authority in REQUESTS_CA_BUNDLE and SSL_CERT_FILE"
    )
    RESET = "the connection broke"
    TIMEOUT = "no answer in time"
    CUT_SHORT = "the answer was cut short"
    TOO_LARGE = "the answer is larger than any that this operation has"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP POST."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """An exchange that gave no whole answer."""

    kind: FaultKind


@dataclass(frozen=True, slots=True)
class Done:
    """The call succeeded; `value` is the parsed JSON."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The call is over and failed."""

    error: SyrveError


@dataclass(frozen=True, slots=True)
class Again:
    """Send the request once more after `wait_seconds`.

    `renew_token` drops the token first; `rate_limited` holds back all other calls too; `error` is what the call would end with now.
    """

    wait_seconds: float
    renew_token: bool = False
    rate_limited: bool = False
    error: SyrveError | None = field(default=None, compare=False)


Verdict = Done | Failed | Again


@dataclass(frozen=True, slots=True)
class Backoff:
    """Jittered exponential waits: between half and all of `base_seconds * 2**n`, at most `cap_seconds`."""

    base_seconds: float = 0.5
    cap_seconds: float = 15.0

    def wait_seconds(self, repeats: int, rng: random.Random) -> float:
        """How long to wait before repeat number `repeats` (from 1)."""
        full = min(self.cap_seconds, self.base_seconds * 2.0 ** min(repeats - 1, 30))
        return full * rng.uniform(0.5, 1.0)


@dataclass(slots=True)
class CallStats:
    """How many requests went out, how many of them were repeats, how many answers said 429; and the correlation id of the last answer."""

    calls: int = 0
    retries: int = 0
    rate_limited: int = 0
    correlation_id: str | None = None

    def count(self, verdict: Verdict) -> None:
        """Count the request that led to this verdict."""
        self.calls += 1
        self.correlation_id = _correlation_id(verdict)
        if isinstance(verdict, Again):
            self.retries += 1
            self.rate_limited += verdict.rate_limited
        elif isinstance(verdict, Failed) and isinstance(verdict.error, RateLimited):
            self.rate_limited += 1

    def take(self) -> CallStats:
        """Return what was counted since the last take, and start again at zero."""
        taken = CallStats(self.calls, self.retries, self.rate_limited, self.correlation_id)
        self.calls = self.retries = self.rate_limited = 0
        self.correlation_id = None
        return taken


def _correlation_id(verdict: Verdict) -> str | None:
    match verdict:
        case Done(value):
            return correlation_id(value)
        case Failed(error):
            return error.correlation_id
    return None


class Call:
    """One call to one endpoint, from its first request to its final verdict.

    Reads and idempotent calls are repeated after transient failures until `deadline` (monotonic seconds). A money call is sent once:
    everything that leaves its outcome open becomes `OutcomeUnknown`. A refused token is renewed, and the call repeated: how often is for
    the keeper of the tokens to decide, who knows what became of them in other calls.
    """

    __slots__ = (
        "_body",
        "_config",
        "_failing_since",
        "_others_answered_at",
        "_repeats",
        "_rng",
        "_started_at",
        "_unreadable_deadline",
        "_url",
        "backoff",
        "deadline",
        "endpoint",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        body: Mapping[str, Any],
        config: SyrveConfig,
        *,
        started_at: float,
        rng: random.Random,
        backoff: Backoff,
    ) -> None:
        self.endpoint = endpoint
        self.deadline = started_at + config.call_deadline_seconds
        self.backoff = backoff
        self._config = config
        self._url = _url(config.base_url, endpoint, config.dialect, config.path_segment)
        self._body = _json(body)
        self._rng = rng
        self._repeats = 0
        self._failing_since: float | None = None
        self._started_at = started_at
        self._unreadable_deadline = min(self.deadline, started_at + UNREADABLE_DEADLINE_SECONDS)

    @property
    def needs_token(self) -> bool:
        """Whether the request carries a token."""
        return self.endpoint.family is not Family.AUTH

    def request(self, token: str | None) -> Request:
        """Build the request to send now."""
        headers = _headers(token, self._config.timeout_seconds)
        return Request(self._url, headers, self._body, self._config.timeout_seconds)

    def decide(self, outcome: Answer | Fault, now: float, others_answered_at: float = 0.0) -> Verdict:
        """Say what the outcome of the request just sent means, at monotonic time `now`.

        `others_answered_at` is when another call of this operation last got an answer.
        """
        self._others_answered_at = others_answered_at
        if isinstance(outcome, Fault):
            return self._after(self._fault_error(outcome), now)
        value = interpret(self.endpoint, outcome.status, outcome.body)
        if isinstance(value, NeedsNewToken):
            return self._after_refused_token(outcome.status, now)
        if not isinstance(value, SyrveError):
            return Done(value)
        if isinstance(value, RateLimited | ServiceUnavailable):
            asked_wait_seconds = retry_after_seconds(outcome.headers)
            if isinstance(value, RateLimited):
                value.wait_seconds = asked_wait_seconds
            return self._after(value, now, asked_wait_seconds)
        return self._after(value, now)

    def _fault_error(self, fault: Fault) -> SyrveError:
        operation = self.endpoint.operation
        if fault.kind is FaultKind.TOO_LARGE:
            return MalformedAnswer(fault.kind.value, operation=operation)
        if fault.kind is FaultKind.CUT_SHORT:
            return UnreadableAnswer(fault.kind.value, operation=operation)
        if fault.kind is FaultKind.UNTRUSTED:
            return UntrustedCertificate(fault.kind.value, operation=operation)
        if fault.kind is FaultKind.REFUSED:
            error: ConnectionFailed = NotConnected(fault.kind.value, operation=operation)
        else:
            error = ConnectionFailed(fault.kind.value, operation=operation)
        error.place = self._config.place
        return error

    def _after_refused_token(self, status: int, now: float) -> Verdict:
        if now < self.deadline:
            return Again(0.0, renew_token=True)
        return Failed(
            TokenRefused(
                "Syrve refused every token until the deadline; do other tasks with the same api login displace them?",
                operation=self.endpoint.operation,
                status=status,
            )
        )

    def _after(self, error: SyrveError, now: float, asked_wait_seconds: float | None = None) -> Verdict:
        if self.endpoint.safety is Safety.MONEY:
            return Failed(self._money_error(error))
        if not isinstance(error, Transient):
            return Failed(error)
        # Never sooner than asked, and never sooner than without being asked: `Retry-After: 0` must not become a hot loop.
        wait = max(asked_wait_seconds or 0.0, self.backoff.wait_seconds(self._repeats + 1, self._rng))
        is_whole_but_no_json = isinstance(error, UnreadableAnswer) and error.status is not None
        deadline = self._unreadable_deadline if is_whole_but_no_json else self.deadline
        if not isinstance(error, RateLimited):
            deadline = min(deadline, self._note_failing(error, now))
        if now + wait > deadline:
            if isinstance(error, RateLimited):
                error.outlasts_call = (asked_wait_seconds or 0.0) > self._config.call_deadline_seconds
            return Failed(error)
        self._repeats += 1
        return Again(wait, rate_limited=isinstance(error, RateLimited), error=error)

    def _note_failing(self, error: Transient, now: float) -> float:
        """Note in the error how long the call has failed, and whether it alone did; return until when it may go on."""
        if self._failing_since is None:
            self._failing_since = now
        error.tried_seconds = now - self._failing_since
        # A 500 is mostly about one record, and those sent beside it may all have been answered before it came.
        since = self._started_at if error.status == 500 else self._failing_since
        error.failed_alone = self._others_answered_at > since
        return self._failing_since + (ALONE_DEADLINE_SECONDS if error.failed_alone else math.inf)

    def _money_error(self, error: SyrveError) -> SyrveError:
        """Return what an error means for a call that is never repeated: unknown, unless its class says otherwise."""
        if error.effect is not Effect.UNKNOWN or isinstance(error, OutcomeUnknown):
            return error
        return OutcomeUnknown(
            UNSETTLED, operation=error.operation, status=error.status, correlation_id=error.correlation_id
        )


def is_transient(verdict: Verdict) -> bool:
    """Whether a request got no answer that says anything about what was asked."""
    return isinstance(verdict, Again) or (isinstance(verdict, Failed) and isinstance(verdict.error, Transient))


def refuses_token(verdict: Verdict) -> bool:
    """Whether a request ended with the refusal of its token."""
    if isinstance(verdict, Failed):
        return isinstance(verdict.error, TokenRefused)
    return isinstance(verdict, Again) and verdict.renew_token


def paused(endpoint: Endpoint, wait_seconds: float) -> RateLimited:
    """Return the error of a call that was not sent, because calls of its family are held back for longer than it may take."""
    return RateLimited(
        "calls of this family are held back, as Syrve asked",
        operation=endpoint.operation,
        status=None,
        wait_seconds=wait_seconds,
        outlasts_call=True,
    )


@lru_cache(maxsize=256)
def _url(base_url: str, endpoint: Endpoint, dialect: str, segment: str) -> str:
    return base_url + dialect_named(dialect).path(endpoint.operation, segment)


@lru_cache(maxsize=16)
def _headers(token: str | None, timeout_seconds: float) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
        headers["Timeout"] = str(max(1, int(timeout_seconds)))
    return MappingProxyType(headers)


def _json(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON, decimals digit by digit; what is no Unicode text (a lone surrogate) becomes a question mark."""
    try:
        return _JSON.encode(body)
    except UnicodeEncodeError:
        text = simplejson.dumps(body, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")
