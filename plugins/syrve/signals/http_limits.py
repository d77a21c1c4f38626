"""uvicorn's HTTP protocol with bounds that it lacks: on a request's head, on what comes beside and after a body, and on connections.

A proxy in front would have them; the receiver does not rely on one.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
MAX_BYTES_PER_BODY_BYTE = 8
"""A body in chunks of one byte takes six; beyond that it is made of what chunks may carry beside it, which no sender uses."""
HEAD_SECONDS = 10.0
MAX_CONNECTIONS = 2_000


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too large or does not come, that has fields after a body, or sends a body on that was answered.

    Beyond `MAX_CONNECTIONS` a new one takes the place of the one that has been without a request for longest.
    """

    _without_request: ClassVar[dict[BoundedProtocol, None]] = {}

    _head_bytes = 0
    _in_head = True
    _in_message = False
    _later_bytes = 0
    _body_bytes = 0
    _has_trailer = False
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
        """Count what arrives; a feed may end a head and hold a body, so the bounds are within a read of the socket."""
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._later_bytes += len(data)
        super().data_received(data)
        if self._is_too_much():
            self.transport.close()

    def _is_too_much(self) -> bool:
        if self._in_head:
            return self._head_bytes > MAX_HEAD_BYTES
        if self._has_trailer or self._later_bytes > MAX_HEAD_BYTES + MAX_BYTES_PER_BODY_BYTE * self._body_bytes:
            return True
        return self._in_message and self.cycle is not None and self.cycle.response_complete

    def on_message_begin(self) -> None:
        """Begin a head: the time for it runs from its first byte."""
        self._in_head = self._in_message = True
        self._has_trailer = False
        self._head_bytes = self._later_bytes = self._body_bytes = 0
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; one after the body is not kept: there is no end to them."""
        if self._in_head:
            super().on_header(name, value)
        else:
            self._has_trailer = True

    def on_body(self, body: bytes) -> None:
        """Count what is a body indeed."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_message = False
        super().on_message_complete()

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
