"""Requests and replies, apart from the connection that carries them."""

from __future__ import annotations

from enum import Enum
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

from syrve_simulator.wire.contract import Lookup

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"


class Request(NamedTuple):
    """A request in full; `path` comes without the query."""

    method: str
    path: str
    query: str
    authorization: bytes | None
    body: bytes
    keeps_alive: bool


class Ending(Enum):
    """How the connection goes on after a reply."""

    AS_ASKED = "as asked"
    RESET = "reset"
    TRUNCATED = "truncated"


class Reply(NamedTuple):
    """What the connection has to do: wait, write, end. `operation` is None for what is not counted; `lookup` is a real answer to one."""

    status: int
    body: bytes
    operation: str | None = None
    lookup: Lookup | None = None
    content_type: str = JSON_TYPE
    retry_after_seconds: int | None = None
    delay_seconds: float = 0
    ending: Ending = Ending.AS_ASKED

    def head(self, *, keeps_alive: bool) -> bytes:
        """Return the status line and the headers."""
        start = _head_start(self.status, self.content_type, self.retry_after_seconds, keeps_alive)
        return b"%s%d\r\n\r\n" % (start, len(self.body))


@cache
def _head_start(status: int, content_type: str, retry_after_seconds: int | None, keeps_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_reason(status)}", f"Content-Type: {content_type}"]
    if retry_after_seconds is not None:
        lines.append(f"Retry-After: {retry_after_seconds}")
    if not keeps_alive:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "Content-Length: "]).encode()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unnamed"
