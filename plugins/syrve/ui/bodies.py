"""What a request may send before any of it is read: nothing without a login, and no more than a form needs with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from airflow.api_fastapi.core_api.security import get_user
from fastapi import HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syrve.ui.inbox_files import MOST_BYTES

MOST_BODY_BYTES = MOST_BYTES + (1 << 20)
"""A dropped file and the fields beside it."""
SAFE = ("GET", "HEAD", "OPTIONS")


class GuardedBodies:
    """ASGI middleware before the app: FastAPI reads a form whole, files to disk, before it asks any dependency who is there."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, Exception], Response]) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403 without a login, 413 where the body is too long, and pass everything else on."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            await get_user(request, None, _bearer(request))
            _refuse_length(request.headers.get("content-length", "0"))
        except HTTPException as error:
            await self.refuse(request, error)(scope, receive, send)
            return
        await self.app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Return a `receive` that stops a body whose length was not said, or was said wrong."""
    taken_bytes = 0

    async def next_part() -> Message:
        nonlocal taken_bytes
        message = await receive()
        taken_bytes += len(message.get("body", b""))
        _refuse_length(str(taken_bytes))
        return message

    return next_part


def _refuse_length(length: str) -> None:
    if not length.isdecimal() or len(length) > 18 or int(length) > MOST_BODY_BYTES:
        raise HTTPException(413, "the body is too long")


def _bearer(request: Request) -> HTTPAuthorizationCredentials | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if credentials else None
