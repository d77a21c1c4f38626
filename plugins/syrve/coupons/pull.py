"""Pulls the coupon series of an organization, and looks up the coupons on its watch list."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from syrve.api.client import SyrveClient
from syrve.api.endpoints import COUPON_INFO
from syrve.api.errors import LoyaltyNotConfigured, MalformedAnswer, RateLimited, Rejected, SyrveError, Transient
from syrve.api.models import Coupon, FieldProblem, SeriesListing
from syrve.coupons.verdict import coupon_verdict
from syrve.warehouse.clock import WarehouseClock
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

NO_SERIES = "00000000-0000-0000-0000-000000000000"
BATCH_SIZE = 50
"""How many coupons are committed together."""
MAX_FAILURES_IN_A_ROW = 5
"""This many coupons in a row without an answer are an outage, not a matter of single coupons."""
FAILED_TOLERANCE_SHARE = 0.05
_SERIES_COLUMNS = ("organization_id", "series_id", "name", "is_activated", "discount_type", "discount_value", "seen_at")
_COUPON_COLUMNS = (
    "organization_id",
    "number",
    "series_id",
    "coupon_id",
    "series_name",
    "is_used",
    "activated_at",
    "activated_by",
    "not_after",
    "verdict",
    "checked_at",
)


class CouponsIncomplete(Transient):
    """Too many watched coupons got no answer; what did land has been committed."""


class CouponPull:
    """One task's pull of one organization at a time."""

    def __init__(self, warehouse: Warehouse, client: SyrveClient, *, key: TaskKey) -> None:
        self._warehouse = warehouse
        self._client = client
        self._key = key

    def run(self, organization_id: str) -> Counts:
        """Pull series, then watched coupons, batch by batch, each committed with its counts.

        Only a complete listing retires a series: a refusal or an unreadable answer raises before anything is written. A coupon that gets no
        answer is a reject, and the others land. Raises a `SyrveError` that concerns them all (login, right, outage), `CouponsIncomplete`
        where more than one coupon, and more than the tolerated share, got no answer, `WarehouseError`. What was committed stays.
        """
        total, watched = Counts(), Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            started = time.monotonic()
            clock = WarehouseClock(connection)
            listing = self._client.coupon_series(organization_id)
            total.add(self._merge_series(connection, listing, clock.now(), started))
            numbers = self._watched(connection, organization_id)
            for batch in _batches(numbers):
                counts, problem = self._merge_coupons(connection, clock, organization_id, batch)
                watched.add(counts)
                if problem is not None:
                    raise problem
        _refuse_incomplete(watched)
        total.add(watched)
        return total

    def _merge_series(
        self, connection: Connection, listing: SeriesListing, seen_at: datetime, started: float
    ) -> Counts:
        organization_id = listing.organization_id
        lines = [
            copy_line(
                (
                    organization_id,
                    series.series_id,
                    series.name,
                    series.is_activated,
                    series.discount_type,
                    series.discount_value,
                    seen_at,
                )
            )
            for series in listing.series
        ]
        rejects = [
            Reject("coupon_series", organization_id, problem.path, "field", problem.problem, problem.value)
            for problem in listing.problems
            if problem.lossy
        ]
        with transaction(connection, "merge coupon series") as cursor:
            copy_lines(cursor, "staging_coupon_series", _SERIES_COLUMNS, lines)
            cursor.execute(sql("merge/coupon_series.sql"), {"organization_id": organization_id, "seen_at": seen_at})
            changed: int = fetch_one(cursor)[0]
            self._keep_rejects(cursor, "coupon_series", organization_id, None, rejects)
            counts = Counts(
                requested=len(listing.series),
                found=len(listing.series),
                changed=changed,
                unchanged=max(0, len(listing.series) - changed),
                cleaned=len(listing.problems),
                changed_tables={"syrve.coupon_series"} if changed else set(),
            )
            self._count_calls(counts, started)
            add_counts(cursor, self._key, counts)
        return counts

    def _watched(self, connection: Connection, organization_id: str) -> list[str]:
        with transaction(connection, "read the coupon watch list") as cursor:
            cursor.execute(
                "select number from sync.coupon_watch where organization_id = %s order by number", (organization_id,)
            )
            return [number for (number,) in cursor.fetchall()]

    def _merge_coupons(
        self, connection: Connection, clock: WarehouseClock, organization_id: str, numbers: list[str]
    ) -> tuple[Counts, SyrveError | None]:
        """Look a batch up and commit what was answered; returns its counts, and the error that ends the whole pull, if any."""
        started = time.monotonic()
        counts = Counts()
        found: list[tuple[str, list[Coupon], datetime]] = []
        rejects: list[Reject] = []
        answered: list[str] = []
        failures_in_a_row = 0
        problem: SyrveError | None = None
        for number in numbers:
            counts.requested += 1
            try:
                coupons = self._client.coupons(organization_id, number)
            except SyrveError as error:
                if not _is_of_one_coupon(error):
                    problem = error
                    break
                counts.rejected += not isinstance(error, Transient)
                counts.failed += isinstance(error, Transient)
                rejects.append(Reject("coupon", organization_id, number, "look_up", error.message))
                failures_in_a_row = failures_in_a_row + 1 if isinstance(error, Transient) else 0
                if failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
                    problem = error
                    break
                continue
            failures_in_a_row = 0
            answered.append(number)
            counts.found += bool(coupons)
            counts.not_found += not coupons
            counts.cleaned += sum(len(coupon.problems) for coupon in coupons)
            rejects += [_field_reject(organization_id, number, lost) for coupon in coupons for lost in coupon.lost]
            found.append((number, coupons, datetime.now(UTC)))
        latest = clock.now()
        lines = [
            line
            for number, coupons, at in found
            for line in _coupon_lines(organization_id, number, coupons, clock.put_right(at, latest))
        ]
        with transaction(connection, "merge coupons") as cursor:
            copy_lines(cursor, "staging_coupon", _COUPON_COLUMNS, lines)
            cursor.execute(sql("merge/coupon.sql"))
            counts.changed = fetch_one(cursor)[0]
            counts.unchanged = max(0, len(answered) - counts.changed)
            counts.changed_tables = {"syrve.coupon"} if counts.changed else set()
            self._keep_rejects(cursor, "coupon", organization_id, answered, rejects)
            self._count_calls(counts, started)
            add_counts(cursor, self._key, counts)
        return counts, problem

    def _keep_rejects(
        self, cursor: Cursor, entity: str, organization_id: str, identities: list[str] | None, rejects: list[Reject]
    ) -> None:
        add_rejects(cursor, self._key.run_id, rejects)
        cursor.execute(
            sql("merge/reject_resolved_listed.sql"),
            {"entity": entity, "organization_id": organization_id, "identities": identities},
        )

    def _count_calls(self, counts: Counts, started: float) -> None:
        stats = self._client.stats.take()
        counts.calls, counts.retries, counts.rate_limited = stats.calls, stats.retries, stats.rate_limited
        counts.seconds = time.monotonic() - started


def _batches(numbers: Iterable[str]) -> Iterator[list[str]]:
    left = iter(numbers)
    while batch := list(islice(left, BATCH_SIZE)):
        yield batch


def _is_of_one_coupon(error: SyrveError) -> bool:
    """Whether the others on the list may still be answered."""
    if isinstance(error, LoyaltyNotConfigured) or (isinstance(error, RateLimited) and error.outlasts_call):
        return False
    return error.operation == COUPON_INFO.operation and isinstance(error, Rejected | MalformedAnswer | Transient)


def _refuse_incomplete(total: Counts) -> None:
    allowed = max(1.0, FAILED_TOLERANCE_SHARE * total.requested)
    if total.failed > allowed or 0 < total.failed == total.requested:
        raise CouponsIncomplete(
            f"{total.failed} of {total.requested} got no answer; the others are committed",
            operation=COUPON_INFO.operation,
        )


def _field_reject(organization_id: str, number: str, problem: FieldProblem) -> Reject:
    return Reject("coupon", organization_id, number, "field", f"{problem.path} {problem.problem}", problem.value)


def _coupon_lines(organization_id: str, number: str, coupons: list[Coupon], now: datetime) -> list[str]:
    if not coupons:
        nothing = (None,) * 6
        return [copy_line((organization_id, number, NO_SERIES, *nothing, "unknown", now))]
    return [
        copy_line(
            (
                organization_id,
                number,
                coupon.series_id or NO_SERIES,
                coupon.coupon_id,
                coupon.series_name,
                coupon.is_used,
                coupon.activated_at,
                coupon.activated_by,
                coupon.not_after,
                coupon_verdict(coupon, now),
                now,
            )
        )
        for coupon in {coupon.series_id: coupon for coupon in coupons}.values()
    ]
