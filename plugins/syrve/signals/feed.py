"""Reads the orders of an organization: what changed since a revision; where that is too old, day by day (facts, section 7).

The revision is committed with the orders that it covers, so a killed task repeats at most one page. That nothing changed is a claim: where
webhooks or look-ups contradict it for a day (`signals/stopped.sql`), the feed is read by date as well until it has orders again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from syrve.api.errors import Rejected
from syrve.api.models import OrderPage
from syrve.signals.errors import UnreadableBody
from syrve.signals.events import Event, fed_order
from syrve.signals.keeping import keep_events
from syrve.warehouse.database import Cursor, Warehouse, fetch_one
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

MAX_REVISION_AGE = timedelta(hours=3) - timedelta(minutes=10)
"""How old a revision the service takes, less what a call may take."""
GUARANTEED = timedelta(days=7)
"""How far back the service guarantees orders by date."""
PAD = timedelta(hours=24)
"""On both sides of a window: the filter goes by the date of delivery in the restaurant's time, and not by when an order changed."""
LEAST_WINDOW = timedelta(minutes=30)
TOO_MUCH = 422
EVENTS_AT_ONCE = 1_000
DOUBTED_EVERY = timedelta(hours=1)
"""How often a feed that others contradict is read by date as well."""


class Proof(Enum):
    """What shows that the feed is alive."""

    ANY_ORDER = auto()
    """Read by revision: all that comes has changed since."""
    LATER_ORDER = auto()
    """Read by date: an order that changed later than all before."""


class ReadsOrders(Protocol):
    """What the feed needs of `SyrveClient`."""

    def orders_by_revision(self, organization_id: str, revision: int) -> OrderPage:
        """Read the orders that changed since a revision."""
        ...

    def orders_by_date(self, organization_id: str, since: datetime, until: datetime) -> OrderPage:
        """Read the orders due between two moments."""
        ...


@dataclass(slots=True)
class FeedRead:
    """What was read: `orders` that came, of which `new_signals` were not known in that state, in `pages`.

    `fell_back`: by date; `is_doubted`: because the feed has no orders although others say that there are some.
    """

    orders: int = 0
    new_signals: int = 0
    of_organization: int = 0
    unreadable: int = 0
    pages: int = 0
    fell_back: bool = False
    is_doubted: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    revision: int | None
    age: timedelta
    time_zone: ZoneInfo
    silent: timedelta | None
    """How long the feed has had no orders, if others say that there are some."""
    by_date_age: timedelta | None
    """How long ago it was last read by date."""

    @property
    def is_doubted(self) -> bool:
        return self.silent is not None and (self.by_date_age is None or self.by_date_age >= DOUBTED_EVERY)


class OrderFeed:
    """The feed of one account into the warehouse; national phones are of `region`, `time_zone` is that of unknown organizations."""

    def __init__(self, warehouse: Warehouse, client: ReadsOrders, *, region: str, time_zone: str) -> None:
        self._warehouse = warehouse
        self._client = client
        self._region = region
        self._time_zone = time_zone

    def read(self, organization_id: str) -> FeedRead:
        """Read what changed since the last time. Raises a `SyrveError` or `WarehouseError`; what was committed stays."""
        done = FeedRead()
        place, began_at = self._place(organization_id)
        if place.revision is not None and place.age < MAX_REVISION_AGE:
            page = self._since(organization_id, place.revision)
            if page is not None:
                revision = page.max_revision or place.revision
                self._keep(organization_id, page, done, began_at, revision, proof=Proof.ANY_ORDER)
                if place.is_doubted and not done.of_organization:
                    self._doubt(organization_id, place, began_at, done)
                return done
        done.fell_back = True
        back = GUARANTEED if place.revision is None else min(place.age, GUARANTEED)
        self._by_date(organization_id, place, began_at, back, done, proof=Proof.LATER_ORDER)
        return done

    def backfill(self, organization_id: str, *, days: int) -> FeedRead:
        """Read the orders of the last days again, at most those that the service guarantees; the revision stays where it is."""
        done = FeedRead(fell_back=True)
        place, began_at = self._place(organization_id)
        back = min(timedelta(days=days), GUARANTEED)
        self._by_date(organization_id, place, began_at, back, done, moves_bookmark=place.revision is None)
        return done

    def _doubt(self, organization_id: str, place: _Place, began_at: datetime, done: FeedRead) -> None:
        """Read by date what a feed without orders may keep to itself. What comes so does not show that the feed is alive again."""
        log.warning(
            "The order feed of %s has no orders, but others say that there are: read by date too", organization_id
        )
        done.fell_back = done.is_doubted = True
        back = min(each for each in (place.silent, place.by_date_age, GUARANTEED) if each is not None)
        self._by_date(organization_id, place, began_at, back, done)

    def _since(self, organization_id: str, revision: int) -> OrderPage | None:
        """Return what changed since a revision; None if the service does not know it any more."""
        try:
            page = self._client.orders_by_revision(organization_id, revision)
        except Rejected as refused:
            log.warning("The order feed of %s is read by date: %s", organization_id, refused)
            return None
        if page.max_revision is not None and page.max_revision < revision:
            log.warning("The revisions of %s went back, so its orders are read by date", organization_id)
            return None
        return page

    def _by_date(
        self,
        organization_id: str,
        place: _Place,
        began_at: datetime,
        back: timedelta,
        done: FeedRead,
        *,
        moves_bookmark: bool = True,
        proof: Proof | None = None,
    ) -> None:
        now = began_at.astimezone(place.time_zone).replace(tzinfo=None)
        begin, until = now - back - PAD, now + PAD
        revision: int | None = None
        while until > begin:
            since = max(until - timedelta(days=1), begin)
            for read_since, page in self._window(organization_id, since, until):
                # The revision that was read first: what changes while other windows are read is read again from there. The newest window
                # comes first, for a service may say the highest revision of the orders of a window, and that of old ones is too old.
                revision = revision or page.max_revision
                is_last = read_since == begin and moves_bookmark
                self._keep(organization_id, page, done, began_at, revision if is_last else None, proof=proof)
            until = since

    def _window(self, organization_id: str, since: datetime, until: datetime) -> Iterable[tuple[datetime, OrderPage]]:
        """Read a window, where it holds too much in halves, the newer first; each page comes with the beginning of what it covers."""
        try:
            yield since, self._client.orders_by_date(organization_id, since, until)
            return
        except Rejected as refused:
            if refused.status != TOO_MUCH or until - since <= LEAST_WINDOW:
                raise
        middle = since + (until - since) / 2
        yield from self._window(organization_id, middle, until)
        yield from self._window(organization_id, since, middle)

    def _keep(
        self,
        organization_id: str,
        page: OrderPage,
        done: FeedRead,
        began_at: datetime,
        revision: int | None,
        *,
        proof: Proof | None,
    ) -> None:
        events = []
        for owner, order in page.orders:
            done.orders += 1
            event = self._event(owner, order)
            if event is None:
                done.unreadable += 1
            elif owner == organization_id:
                events.append((owner, event))
        with self._warehouse.transaction("keep orders of the feed") as cursor:
            for start in range(0, len(events), EVENTS_AT_ONCE):
                done.new_signals += keep_events(cursor, events[start : start + EVENTS_AT_ONCE], "feed")
            if revision is not None:
                _set_bookmark(cursor, organization_id, revision, began_at, fell_back=done.fell_back)
            if proof is not None:
                newest_at = _newest_at([each for _, each in events], began_at, proof)
                values = {"organization_id": organization_id, "began_at": began_at, "newest_at": newest_at}
                cursor.execute(sql("signals/note_feed.sql"), values)
        done.of_organization += len(events)
        done.pages += 1

    def _event(self, organization_id: str, order: Mapping[str, Any]) -> Event | None:
        try:
            return fed_order(organization_id, order, region=self._region)
        except UnreadableBody:
            return None

    def _place(self, organization_id: str) -> tuple[_Place, datetime]:
        with self._warehouse.transaction("read how far the order feed was read") as cursor:
            cursor.execute(sql("signals/bookmark.sql"), {"organization_id": organization_id})
            revision, age_seconds, time_zone, silent_seconds, by_date_seconds = fetch_one(cursor)
            cursor.execute("select now()")
            began_at: datetime = fetch_one(cursor)[0]
        age = timedelta(seconds=max(0.0, age_seconds or 0.0))
        silent, by_date = (
            None if each is None else timedelta(seconds=max(0.0, each)) for each in (silent_seconds, by_date_seconds)
        )
        zone = ZoneInfo(time_zone or self._time_zone)
        return _Place(revision, age, zone, silent, by_date), began_at.astimezone(UTC)


def _newest_at(events: Sequence[Event], began_at: datetime, proof: Proof) -> datetime | None:
    """Return when the newest order changed, at the latest when it was read; None without any."""
    if proof is Proof.ANY_ORDER:
        return began_at if events else None
    return max((min(each.event_at or began_at, began_at) for each in events), default=None)


def _set_bookmark(cursor: Cursor, organization_id: str, revision: int, began_at: datetime, *, fell_back: bool) -> None:
    values = {
        "organization_id": organization_id,
        "revision": revision,
        "began_at": began_at,
        "fell_back": fell_back,
    }
    cursor.execute(sql("signals/set_bookmark.sql"), values)
