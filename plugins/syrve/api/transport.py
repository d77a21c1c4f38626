"""Carries out single calls with `requests`: the hook, pushes, money, dictionaries."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3.exceptions

from syrve.api.config import CONNECT_TIMEOUT_SECONDS, OnWait, SyrveConfig
from syrve.api.dialects import Dialect
from syrve.api.endpoints import Endpoint, Family
from syrve.api.errors import RateLimited
from syrve.api.permits import PLACE_SECONDS, Permits
from syrve.api.protocol import (
    Again,
    Answer,
    Backoff,
    Call,
    CallStats,
    Failed,
    Fault,
    FaultKind,
    Request,
    Verdict,
    paused,
    refuses_token,
)
from syrve.api.tokens import TokenKeeper, token_question

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.stats = CallStats()


class Transport:
    """Sends calls one at a time over a kept-open connection; threads that share it have a connection and statistics each.

    `on_token` is called with every new token before it is used, so that logs can mask it; `on_wait` before each repeat of a call, with what
    went wrong and for how many seconds it waits. Without `keeps_connection` each call gets a
    connection of its own: one that the service closed meanwhile would leave a money call's outcome unknown for nothing.
    """

    def __init__(
        self,
        config: SyrveConfig,
        dialect: Dialect,
        *,
        on_token: Callable[[str], None] | None = None,
        permits: Permits | None = None,
        on_wait: OnWait | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        keeps_connection: bool = True,
        session: requests.Session | None = None,
    ) -> None:
        self._of_thread = _OfThread()
        self._config = config
        self._dialect = dialect
        self._on_token = on_token
        self._on_wait = on_wait
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._sleep = sleep
        self._rng = random.Random()
        self._tokens = TokenKeeper(config.token_lifetime_seconds)
        self._token_lock = threading.Lock()
        self._permits = permits
        self._gates = {family: threading.Lock() for family in Family}
        self._session = session or requests.Session()
        if not keeps_connection:
            self._session.headers["Connection"] = "close"
        self._session.auth = _as_given  # else a .netrc entry for the host would take the place of the token

    @property
    def stats(self) -> CallStats:
        """What the present thread has sent so far."""
        return self._of_thread.stats

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Any:
        """Carry out one call and return the parsed JSON; raise a `SyrveError`."""
        self._await_permit(endpoint)
        call = Call(endpoint, body, self._config, started_at=self._clock(), rng=self._rng, backoff=self._backoff)
        while True:
            token = self._token() if call.needs_token else None
            outcome = self._sent(endpoint, call.request(token))
            verdict = call.decide(outcome, self._clock())
            self.stats.count(verdict)
            self._note_token(endpoint, token, outcome, verdict)
            if isinstance(verdict, Failed):
                if isinstance(verdict.error, RateLimited):
                    self._hold_back(endpoint.family, verdict.error.wait_seconds or 0.0)
                raise verdict.error
            if not isinstance(verdict, Again):
                return verdict.value
            if verdict.rate_limited:
                self._hold_back(endpoint.family, verdict.wait_seconds)
            if self._on_wait is not None and verdict.error is not None:
                self._on_wait(verdict.error, verdict.wait_seconds)
            self._sleep(verdict.wait_seconds)
            self._await_permit(endpoint)

    def _note_token(self, endpoint: Endpoint, token: str | None, outcome: Answer | Fault, verdict: Verdict) -> None:
        """Tell the keeper what became of a token; raise `AuthenticationFailed` where none is ever accepted."""
        if not refuses_token(verdict):
            if isinstance(outcome, Answer):
                self._tokens.accept(token)
            return
        self._tokens.drop(token)
        refusal = self._tokens.refusal(endpoint.operation)
        if refusal is not None and isinstance(verdict, Again):
            raise refusal

    def _hold_back(self, family: Family, wait_seconds: float) -> None:
        """Pause everybody's calls of a family by way of the budget."""
        if self._permits is not None and family is not Family.AUTH:
            self._permits.pause(family, wait_seconds)

    def _await_permit(self, endpoint: Endpoint) -> None:
        """Wait for the moment of the next permit; without a budget there is nothing to wait for.

        Threads that share the transport take permits one at a time: else all of them would queue at once, and others behind them.
        A pause that outlasts the call raises `RateLimited` instead.
        """
        family = endpoint.family
        if self._permits is None or family is Family.AUTH:
            return
        with self._gates[family]:
            while True:
                grant = self._permits.take(family, 1)
                if grant.is_paused and grant.wait_seconds > self._config.call_deadline_seconds:
                    raise paused(endpoint, grant.wait_seconds)
                self._sleep(grant.wait_seconds)
                if grant.count:
                    return

    def _token(self) -> str:
        with self._token_lock:
            token = self._tokens.current(self._clock())
            if token is None:
                self._sleep(self._tokens.renewal_wait_seconds(self._clock()))
                answer = self.call(*token_question(self._config, self._dialect))
                token = self._tokens.keep(answer, self._clock())
                if self._on_token is not None:
                    self._on_token(token)
            return token

    def _sent(self, endpoint: Endpoint, request: Request) -> Answer | Fault:
        """Send a request, in a place for calls under way where those are bounded, and tell the keeper how long the answer took."""
        permits, family = self._permits, endpoint.family
        if permits is None or family is Family.AUTH:
            return self._send(request)
        bounded = permits.bounds_in_flight(family)
        give_up_at = self._clock() + self._config.call_deadline_seconds
        while bounded and not permits.enter(family):
            if self._clock() > give_up_at:
                raise paused(endpoint, PLACE_SECONDS)
            self._sleep(PLACE_SECONDS)
        try:
            started = self._clock()
            outcome = self._send(request)
        finally:
            if bounded:
                permits.leave(family)
        if isinstance(outcome, Answer):
            permits.answered(family, self._clock() - started)
        return outcome

    def _send(self, request: Request) -> Answer | Fault:
        give_up_at = time.monotonic() + request.timeout_seconds
        try:
            with self._session.post(
                request.url,
                data=request.body,
                headers=dict(request.headers),
                timeout=(min(request.timeout_seconds, CONNECT_TIMEOUT_SECONDS), request.timeout_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = bytearray()
                for chunk in response.iter_content(_CHUNK_BYTES):
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        return Fault(FaultKind.TOO_LARGE)
                    if time.monotonic() > give_up_at:  # the library's own time-out is for each piece of the answer
                        return Fault(FaultKind.TIMEOUT)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, bytes(body))
        except requests.RequestException as error:
            return Fault(_fault_kind(error))


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _fault_kind(error: requests.RequestException) -> FaultKind:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return FaultKind.REFUSED  # urllib3 names the proxy only where it was not reached, or would make no tunnel
    if isinstance(error, requests.Timeout):
        return FaultKind.TIMEOUT
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return FaultKind.CUT_SHORT
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if _is_untrusted(reason):
        return FaultKind.UNTRUSTED
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return FaultKind.REFUSED
    if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
        return FaultKind.TIMEOUT
    return FaultKind.RESET


def _is_untrusted(reason: object) -> bool:
    """Whether the certificate was refused, which ends the handshake before anything is sent."""
    return isinstance(reason, urllib3.exceptions.SSLError) and any(
        isinstance(each, ssl.SSLCertVerificationError) for each in (*reason.args, reason.__cause__)
    )
