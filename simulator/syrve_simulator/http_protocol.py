"""HTTP/1.1 on one connection: parsing, order of answers, delays and rude endings."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from typing import Protocol, cast

import httptools

from syrve_simulator.http_message import Ending, Reply, Request
from syrve_simulator.wire.errors import transport_error

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Prepared answers and customers for a large test come in one request; an API call has a few hundred bytes."""
_MOST_WAITING_REQUESTS = 64
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


class Handler(Protocol):
    """What answers requests."""

    def handle(self, request: Request) -> Reply:
        """Carry a request out and say how to reply."""

    def delivered(self, reply: Reply) -> None:
        """Take note that a reply was written."""


class HttpConnection(asyncio.Protocol):
    """One client's connection: requests are answered in order, one after another, also when they come pipelined."""

    def __init__(self, handler: Handler, connections: set[HttpConnection]) -> None:
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_writable = True
        self._is_reading = True
        self._is_open = True
        self._authorization: bytes | None = None
        self._start_request()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Drop what was still to be answered."""
        self._is_open = False
        self._connections.discard(self)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; what is not HTTP is refused with 400."""
        if not self._is_open:
            return
        if not self._head_is_complete:
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, "The headers are too large")
                return
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "Upgrading the connection is not offered")
        except httptools.HttpParserError:
            self._refuse(400, "This is not HTTP/1.1")

    def pause_writing(self) -> None:
        """Answer nothing more: the client does not read."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """Go on answering."""
        self._is_writable = True
        self._work()

    # what the parser calls

    def on_url(self, url: bytes) -> None:
        """Collect the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that matters."""
        if len(name) == 13 and name.lower() == b"authorization":
            self._authorization = value

    def on_headers_complete(self) -> None:
        """Stop counting the head's size."""
        self._head_is_complete = True

    def on_body(self, body: bytes) -> None:
        """Collect the body, however it is framed."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse(413, "The body is too large")
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Queue the request and answer what can be answered."""
        if not self._is_open:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            self._parser.get_method().decode("latin-1"),
            path,
            query,
            self._authorization,
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
            self._parser.should_keep_alive(),
        )
        self._start_request()
        self._waiting.append(request)
        if len(self._waiting) > _MOST_WAITING_REQUESTS:
            self._is_reading = False
            self._transport.pause_reading()
        self._work()

    def _start_request(self) -> None:
        self._url = b""
        self._authorization = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_is_complete = False

    # answering

    def _work(self) -> None:
        while self._waiting and self._timer is None and self._is_writable and self._is_open:
            request = self._waiting.popleft()
            reply = self._answer(request)
            if reply.delay_seconds:
                self._timer = self._loop.call_later(reply.delay_seconds, self._write_late, request, reply)
            else:
                self._write(request, reply)
        if not self._is_reading and self._is_open and len(self._waiting) <= _MOST_WAITING_REQUESTS:
            self._is_reading = True
            self._transport.resume_reading()

    def _answer(self, request: Request) -> Reply:
        try:
            return self._handler.handle(request)
        except Exception:  # noqa: BLE001 - a bug must cost one answer, not the connection's order
            _log.exception("The simulator failed to answer %s %s; this is a bug in it", request.method, request.path)
            refusal = transport_error(500, "The simulator itself failed; its log says where")
            return Reply(refusal.status, refusal.body)

    def _write_late(self, request: Request, reply: Reply) -> None:
        self._timer = None
        self._write(request, reply)
        self._work()

    def _write(self, request: Request, reply: Reply) -> None:
        if reply.ending is Ending.RESET:
            self.reset()
            return
        if reply.ending is Ending.TRUNCATED:
            self._transport.write(reply.head(keeps_alive=request.keeps_alive) + reply.body[: len(reply.body) // 2])
            self._close()
        else:
            self._transport.write(reply.head(keeps_alive=request.keeps_alive) + reply.body)
            if not request.keeps_alive:
                self._close()
        self._handler.delivered(reply)

    def _refuse(self, status: int, description: str) -> None:
        if self._is_open:
            refusal = transport_error(status, description)
            reply = Reply(refusal.status, refusal.body)
            self._transport.write(reply.head(keeps_alive=False) + reply.body)
            self._close()

    def _close(self) -> None:
        self._is_open = False
        self._waiting.clear()
        self._transport.close()

    def reset(self) -> None:
        """End the connection at once; the peer sees a reset."""
        self._is_open = False
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def stop(self) -> None:
        """End the connection because the simulator stops, stalled or not."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.close()
