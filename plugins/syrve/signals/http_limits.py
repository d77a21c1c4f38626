"""uvicorn's HTTP protocol with bounds that it lacks: on the size and the time of a request's head, and on the number of connections.

A proxy in front would have them; the receiver does not rely on one.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
HEAD_SECONDS = 10.0
MAX_CONNECTIONS = 2_000


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too large or does not come.

    Beyond `MAX_CONNECTIONS` a new one takes the place of the one that has been without a request for longest.
    """

    _without_request: ClassVar[dict[BoundedProtocol, None]] = {}

    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            longest = next(iter(self._without_request), self)
            longest._stop_waiting()
            longest.transport.close()
            if longest is self:
                return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives of a head; a feed may end one and hold a body, so the bound is within a read of the socket."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a head: the time for it runs from its first byte."""
        self._in_head = True
        self._head_bytes = 0
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Begin to be without a request again."""
        super().on_response_complete()
        if self.cycle is not None and self.cycle.response_complete and not self.transport.is_closing():
            self._without_request[self] = None

    def _await_head(self) -> None:
        self._stop_waiting()
        self._without_request[self] = None
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self.transport.close()

    def _stop_waiting(self) -> None:
        self._without_request.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
