"""The receiver of webhooks: a FastAPI app that proves the sender, keeps what was reported, and answers when it is committed.

The answers hold a status and a fixed text; the log holds counts. Neither has anything of a body or a secret.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from syrve.signals.errors import Overloaded, Refused, UnreadableBody
from syrve.signals.events import Event, Item, items_of, password_of, read_events
from syrve.signals.limits import AtOnce, Places, Rate, ReceiverLimits
from syrve.signals.secrets import Secrets, secret_in_header
from syrve.signals.store import Keeps
from syrve.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)

PATH = "/events"
LOG_EVERY_SECONDS = 60.0
HEALTH_SECONDS = 1.0
"""How long an answer about the warehouse holds: more frequent requests do not load it."""
EVENTS_READ_AT_ONCE = 20
"""More of them are read beside the event loop, so that others are answered at the same time."""
NO_SECRET = "there is no secret, or an unknown one"  # noqa: S105
TOO_SLOW = "the body did not come in time"


class Receiver:
    """What the app does with a request; `region` is that of national phone numbers."""

    def __init__(
        self,
        store: Keeps,
        *,
        region: str,
        limits: ReceiverLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._region = region
        self._limits = limits or ReceiverLimits()
        self._clock = clock
        self._secrets = Secrets()
        self._secrets_read_at: float | None = None
        self._reading_secrets = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._asked_until = -math.inf
        self._is_healthy = False
        # Only those whose secret is known come into these two, so there are no more of them than secrets were in force.
        self._rates: dict[frozenset[str], Rate] = {}
        self._bodies: dict[frozenset[str], Places] = {}
        self._finding_out = AtOnce(self._limits.requests_at_once)
        self._looking_again = AtOnce(self._limits.requests_at_once)
        self._proven = AtOnce(self._limits.requests_at_once)
        self._places = Places(self._limits.unproven_at_once)
        self.counts: Counter[str] = Counter()
        self._counted_until = clock()

    async def receive(self, request: Request) -> Response:
        """Answer one request: 200 once its events are committed."""
        try:
            kept = await self._take_in(request)
        except Refused as refused:
            return self._answer(refused)
        except Overloaded:
            return self._answer(Refused(503, "too many signals wait"))
        except WarehouseError as error:
            log.warning("Signals could not be kept; their senders were asked to repeat them: %s", error)
            return self._answer(Refused(503, "the warehouse does not answer"))
        self._count("kept", kept)
        # A new one for each request: middleware of the api-server changes the headers of the answer that it is given.
        return JSONResponse({"status": "kept"})

    async def health(self) -> Response:
        """Say whether the warehouse could be reached within the last second."""
        async with self._asking:
            if self._clock() >= self._asked_until:
                try:
                    await self._store.secrets()
                    self._is_healthy = True
                except WarehouseError:
                    self._is_healthy = False
                self._asked_until = self._clock() + HEALTH_SECONDS
        if not self._is_healthy:
            return JSONResponse({"status": "the warehouse does not answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def _take_in(self, request: Request) -> int:
        """Keep the events of a request and return how many; nothing of one who is not proven counts among those who are."""
        secret = _secret_of(request)
        with self._finding_out.one():
            secrets = await self._known_secrets()
        allowed = secrets.organizations_of(secret)
        if secret is not None and not allowed:
            allowed = (await self._newest_secrets()).organizations_of(secret)
            if not allowed:
                raise Refused(401, "the secret is unknown", closes=True)
        if allowed:
            _refuse_packed(request)
            items = self._items(await self._proven_body(request, allowed), is_proven=True)
            with self._proven.one():
                return await self._keep(items, [allowed] * len(items))
        items = self._items(await self._unproven_body(request), is_proven=False)
        passwords = [password_of(each) for each in items]
        if not all(passwords):
            raise Refused(401, NO_SECRET, closes=True)
        speaks_for = [secrets.organizations_of(each) for each in passwords]
        if not all(speaks_for):
            secrets = await self._newest_secrets()
            speaks_for = [secrets.organizations_of(each) for each in passwords]
        if not all(speaks_for):
            raise Refused(401, NO_SECRET, closes=True)
        with self._proven.one():
            return await self._keep(items, speaks_for)

    @staticmethod
    def _items(body: bytes, *, is_proven: bool) -> list[Item]:
        try:
            return items_of(body)
        except UnreadableBody as problem:
            raise Refused(400 if is_proven else 401, str(problem) if is_proven else NO_SECRET) from None

    async def _keep(self, items: list[Item], speaks_for: list[frozenset[str]]) -> int:
        """Keep events of proven senders; to read a thousand phones takes seconds, so nothing of an event is read before."""
        for named, count in Counter(speaks_for).items():
            if not self._rate(named).takes(count):
                raise Refused(429, "too many events of this organization")
        try:
            events = await self._read(items)
        except UnreadableBody as problem:
            raise Refused(400, str(problem)) from None
        received = [(_organization(each, named), each) for each, named in zip(events, speaks_for, strict=True)]
        await self._store.keep(received)
        return len(received)

    async def _read(self, items: Sequence[Item]) -> list[Event]:
        if len(items) <= EVENTS_READ_AT_ONCE:
            return read_events(items, region=self._region)
        return await asyncio.to_thread(read_events, items, region=self._region)

    async def _proven_body(self, request: Request, allowed: frozenset[str]) -> bytes:
        places = self._bodies.setdefault(allowed, Places(self._limits.proven_at_once))
        try:
            async with places.one(self._limits.read_seconds):
                return await _body(request, self._limits.max_body_bytes)
        except TimeoutError:
            raise Refused(408, TOO_SLOW, closes=True) from None

    async def _unproven_body(self, request: Request) -> bytes:
        try:
            async with self._places.one(self._limits.unproven_read_seconds):
                return await _body(request, self._limits.max_unproven_body_bytes)
        except TimeoutError:
            raise Refused(408, TOO_SLOW, closes=True) from None

    async def _known_secrets(self) -> Secrets:
        """Return the secrets in force; while the warehouse is away, those that were known last."""
        return await self._secrets_of_the_last(self._limits.secrets_seconds)

    async def _newest_secrets(self) -> Secrets:
        """Return them as they were within a second: a secret that is not known may be new, and a sender need not repeat after a 401."""
        with self._looking_again.one():
            return await self._secrets_of_the_last(self._limits.new_secrets_seconds)

    async def _secrets_of_the_last(self, seconds: float) -> Secrets:
        if self._are_fresh(seconds):
            return self._secrets
        async with self._reading_secrets:
            if not self._are_fresh(seconds):
                try:
                    self._secrets = Secrets(await self._store.secrets())
                    self._secrets_read_at = self._clock()
                except WarehouseError as error:
                    if self._secrets_read_at is None:
                        raise
                    log.warning("The secrets of senders could not be read; those known before stay in force: %s", error)
                    self._secrets_read_at = self._clock()
        return self._secrets

    def _are_fresh(self, seconds: float) -> bool:
        read_at = self._secrets_read_at
        return read_at is not None and self._clock() < read_at + seconds

    def _rate(self, named: frozenset[str]) -> Rate:
        return self._rates.setdefault(named, Rate(len(named) * self._limits.events_per_second, self._clock))

    def _answer(self, refused: Refused) -> Response:
        self._count(f"refused {refused.status}")
        return _refusal(refused)

    def _count(self, what: str, count: int = 1) -> None:
        self.counts[what] += count
        if self._clock() >= self._counted_until + LOG_EVERY_SECONDS:
            self._counted_until = self._clock()
            log.info(
                "Signals since the start: %s", ", ".join(f"{name} {n:,}" for name, n in sorted(self.counts.items()))
            )


def _secret_of(request: Request) -> str | None:
    """Return the secret of the head. Two different ones are none: a proxy may have looked at the other."""
    given = {secret_in_header(each) for each in request.headers.getlist("authorization")} - {None}
    if len(given) > 1:
        raise Refused(401, "there are several secrets", closes=True)
    return next(iter(given), None)


def _refuse_packed(request: Request) -> None:
    """A body that is packed could unpack to any size."""
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("", "identity"):
        raise Refused(415, "the body is packed: send it without Content-Encoding", closes=True)


async def _body(request: Request, most: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 18 or int(announced) > most:
        raise Refused(413, "the body is too large", closes=True)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refused(413, "the body is too large", closes=True)
    except ClientDisconnect:
        raise Refused(400, "the sender went away", closes=True) from None
    return bytes(body)


def _organization(event: Event, allowed: frozenset[str]) -> str:
    """Return the organization that an event is about, if the sender may speak for it."""
    for organization_id in event.organization_ids:
        if organization_id in allowed:
            return organization_id
    if not event.organization_ids and len(allowed) == 1:
        return next(iter(allowed))
    raise Refused(401, "the secret is of another organization")


def _refusal(refused: Refused) -> Response:
    headers = {"Connection": "close"} if refused.closes else {}
    if refused.status in (429, 503):
        headers["Retry-After"] = "1"
    return JSONResponse({"status": "refused", "reason": refused.reason}, refused.status, headers)


def create_app(receiver: Receiver) -> FastAPI:
    """Return the app: `POST /events` and `GET /health`.

    An address with a slash at its end is the same, and not answered by leading there: behind a proxy that would be without TLS.
    """
    app = FastAPI(title="Syrve signals", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for path in (PATH, f"{PATH}/"):
        app.add_api_route(path, receiver.receive, methods=["POST"], response_model=None)
    app.add_api_route("/health", receiver.health, methods=["GET"], response_model=None)
    return app
