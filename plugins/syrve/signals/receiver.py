"""The receiver of webhooks: a FastAPI app that proves the sender, keeps what was reported, and answers when it is committed.

The answers hold a status and a fixed text; the log holds counts. Neither has anything of a body or a secret.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from syrve.signals.errors import Overloaded, Refused, UnreadableBody
from syrve.signals.events import Event, read_events
from syrve.signals.keeping import Received
from syrve.signals.limits import Rate, ReceiverLimits
from syrve.signals.secrets import Secrets, secret_in_header
from syrve.signals.store import Keeps
from syrve.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)

PATH = "/events"
LOG_EVERY_SECONDS = 60.0
_KEPT = JSONResponse({"status": "kept"})


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
        self._rates: dict[str, Rate] = {}
        self._under_way = 0
        self.counts: Counter[str] = Counter()
        self._counted_until = clock()

    async def receive(self, request: Request) -> Response:
        """Answer one request: 200 once its events are committed."""
        if self._under_way >= self._limits.requests_at_once:
            return self._answer(Refused(503, "too many requests at once", closes=True))
        self._under_way += 1
        try:
            events = await self._proven_events(request)
            await self._store.keep(events)
        except Refused as refused:
            return self._answer(refused)
        except Overloaded:
            return self._answer(Refused(503, "too many signals wait"))
        except WarehouseError as error:
            log.warning("Signals could not be kept; their senders were asked to repeat them: %s", error)
            return self._answer(Refused(503, "the warehouse does not answer"))
        finally:
            self._under_way -= 1
        self._count("kept", len(events))
        return _KEPT

    async def health(self) -> Response:
        """Say whether the warehouse can be reached."""
        try:
            await self._store.secrets()
        except WarehouseError:
            return JSONResponse({"status": "the warehouse does not answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def _proven_events(self, request: Request) -> Received:
        secret = secret_in_header(request.headers.get("authorization"))
        secrets = await self._known_secrets()
        allowed = secrets.organizations_of(secret)
        if secret is not None and not allowed:
            raise Refused(401, "the secret is unknown", closes=True)
        is_proven = bool(allowed)
        body = await self._body(request, is_proven=is_proven)
        try:
            events = read_events(body, region=self._region)
        except UnreadableBody as problem:
            raise Refused(400 if is_proven else 401, str(problem) if is_proven else "there is no secret") from None
        received = [(_organization(each, allowed or secrets.organizations_of(each.password)), each) for each in events]
        for organization_id, count in Counter(organization_id for organization_id, _ in received).items():
            if not self._rate(organization_id).takes(count):
                raise Refused(429, "too many events of this organization")
        return received

    async def _body(self, request: Request, *, is_proven: bool) -> bytes:
        limits = self._limits
        most = limits.max_body_bytes if is_proven else limits.max_unproven_body_bytes
        announced = request.headers.get("content-length", "0")
        if not announced.isdigit() or int(announced) > most:
            raise Refused(413, "the body is too large", closes=True)
        body = bytearray()
        try:
            async with asyncio.timeout(limits.read_seconds if is_proven else limits.unproven_read_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise Refused(413, "the body is too large", closes=True)
        except TimeoutError:
            raise Refused(408, "the body did not come in time", closes=True) from None
        except ClientDisconnect:
            raise Refused(400, "the sender went away", closes=True) from None
        return bytes(body)

    async def _known_secrets(self) -> Secrets:
        """Return the secrets in force; while the warehouse is away, those that were known last."""
        if self._are_fresh():
            return self._secrets
        async with self._reading_secrets:
            if not self._are_fresh():
                try:
                    self._secrets = Secrets(await self._store.secrets())
                    self._secrets_read_at = self._clock()
                except WarehouseError as error:
                    if self._secrets_read_at is None:
                        raise
                    log.warning("The secrets of senders could not be read; those known before stay in force: %s", error)
                    self._secrets_read_at = self._clock()
        return self._secrets

    def _are_fresh(self) -> bool:
        read_at = self._secrets_read_at
        return read_at is not None and self._clock() < read_at + self._limits.secrets_seconds

    def _rate(self, organization_id: str) -> Rate:
        # Only organizations with a secret come here, so there are no more of these than of them.
        return self._rates.setdefault(organization_id, Rate(self._limits.events_per_second, self._clock))

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


def _organization(event: Event, allowed: frozenset[str]) -> str:
    """Return the organization that an event is about, if the sender may speak for it."""
    for organization_id in event.organization_ids:
        if organization_id in allowed:
            return organization_id
    if not event.organization_ids and len(allowed) == 1:
        return next(iter(allowed))
    reason = "the secret is of another organization" if allowed else "there is no secret, or an unknown one"
    raise Refused(401, reason)


def _refusal(refused: Refused) -> Response:
    headers = {"Connection": "close"} if refused.closes else {}
    if refused.status in (429, 503):
        headers["Retry-After"] = "1"
    return JSONResponse({"status": "refused", "reason": refused.reason}, refused.status, headers)


def create_app(receiver: Receiver) -> FastAPI:
    """Return the app: `POST /events` and `GET /health`."""
    app = FastAPI(title="Syrve signals", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route(PATH, receiver.receive, methods=["POST"], response_model=None)
    app.add_api_route("/health", receiver.health, methods=["GET"], response_model=None)
    return app
