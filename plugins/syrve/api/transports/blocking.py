"""Carries single calls with `requests`: the hook, pushes, money, dictionaries."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

import requests
import urllib3.exceptions

from syrve.api.caller import Caller, run_blocking
from syrve.api.config import CONNECT_TIMEOUT_SECONDS, OnWait, SyrveConfig
from syrve.api.dialects import Dialect
from syrve.api.endpoints import Endpoint
from syrve.api.permits import Permits
from syrve.api.protocol import Answer, Backoff, CallStats, Fault, FaultKind, Request

T = TypeVar("T")
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.stats = CallStats()


class _Lock:
    """A lock between threads in the form that the calls use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()


class BlockingTransport:
    """Sends calls one at a time over a kept-open connection; threads that share it have a connection and statistics each.

    Without `keeps_connection` each call gets a separate connection: one that the service had closed would leave a money call's outcome
    unknown for nothing. `on_token`, `on_wait` and `permits` are those of `syrve.api.caller.Caller`.
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
        self._sleep = sleep
        self._session = session or requests.Session()
        if not keeps_connection:
            self._session.headers["Connection"] = "close"
        self._session.auth = _as_given  # else a .netrc entry for the host would take the place of the token
        self._caller = Caller(
            config,
            dialect,
            self,
            stats=lambda: self.stats,
            on_token=on_token,
            permits=permits,
            on_wait=on_wait,
            backoff=backoff,
            clock=clock,
        )

    @property
    def stats(self) -> CallStats:
        """What the present thread has sent so far."""
        return self._of_thread.stats

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Any:
        """Carry out one call and return the parsed JSON; raise a `SyrveError`."""
        return run_blocking(self._caller.call(endpoint, body))

    def lock(self) -> _Lock:
        """Return a new lock between threads."""
        return _Lock()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function."""
        return function(*arguments)

    async def send(self, request: Request) -> Answer | Fault:
        """Send one request, once."""
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
