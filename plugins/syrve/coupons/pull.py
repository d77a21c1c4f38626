"""Pulls the coupon series of an organization, and looks up the coupons on its watch list."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from syrve.api.client import SyrveClient
from syrve.api.errors import MalformedAnswer, Rejected
from syrve.api.models import Coupon, SeriesListing
from syrve.coupons.verdict import coupon_verdict
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

NO_SERIES = "00000000-0000-0000-0000-000000000000"
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


class CouponPull:
    """One task's pull of one organization at a time."""

    def __init__(self, warehouse: Warehouse, client: SyrveClient, *, key: TaskKey) -> None:
        self._warehouse = warehouse
        self._client = client
        self._key = key

    def run(self, organization_id: str) -> Counts:
        """Pull series, then watched coupons, each committed with its counts; raise a `SyrveError` or `WarehouseError`.

        Only a complete listing retires a series: a refusal or an unreadable answer raises before anything is written.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            started = time.monotonic()
            listing = self._client.coupon_series(organization_id)
            total.add(self._merge_series(connection, listing, datetime.now(UTC), started))
            numbers = self._watched(connection, organization_id)
            if numbers:
                total.add(self._merge_coupons(connection, organization_id, numbers))
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

    def _merge_coupons(self, connection: Connection, organization_id: str, numbers: list[str]) -> Counts:
        started = time.monotonic()
        counts = Counts()
        lines: list[str] = []
        rejects: list[Reject] = []
        for number in numbers:
            counts.requested += 1
            try:
                coupons = self._client.coupons(organization_id, number)
            except (Rejected, MalformedAnswer) as error:
                counts.rejected += 1
                rejects.append(Reject("coupon", organization_id, number, "look_up", error.message))
                continue
            counts.found += bool(coupons)
            counts.not_found += not coupons
            lines.extend(_coupon_lines(organization_id, number, coupons, datetime.now(UTC)))
        with transaction(connection, "merge coupons") as cursor:
            copy_lines(cursor, "staging_coupon", _COUPON_COLUMNS, lines)
            cursor.execute(sql("merge/coupon.sql"))
            counts.changed = fetch_one(cursor)[0]
            counts.unchanged = max(0, counts.requested - counts.rejected - counts.changed)
            self._keep_rejects(cursor, "coupon", organization_id, numbers, rejects)
            self._count_calls(counts, started)
            add_counts(cursor, self._key, counts)
        return counts

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
