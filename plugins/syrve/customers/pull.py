"""The pull: claim due identities, look them up, merge, reschedule; a batch at a time.

A batch commits as a whole: its data, its roster rows and its counts. A task that is killed loses the batch it was working on, whose
lease ends with its connection, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from syrve.api.bulk import BulkLookup, LookupResult
from syrve.api.errors import SyrveError, Transient
from syrve.api.models import Lookup
from syrve.customers.merge import merge_batch, prepare_batch
from syrve.customers.settings import PullSettings
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.leases import LEASE_CLASS, lease
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

OUTAGE_BATCH_SIZE = 20
"""A batch of at least so many look-ups of which none got an answer is an outage, not a matter of single customers."""


class PullIncomplete(Transient):
    """Too many look-ups of a pull got no answer; what did land has been committed, the rest is due again."""


@dataclass(frozen=True, slots=True)
class PullScope:
    """What one task pulls: due identities of one organization, at most `max_identities` of them (None: all that are due)."""

    organization_id: str
    max_identities: int | None = None


class CustomerPull:
    """One task's pull; `bulk` must be entered by the caller, who may share it."""

    def __init__(
        self,
        warehouse: Warehouse,
        bulk: BulkLookup,
        *,
        key: TaskKey,
        region: str,
        settings: PullSettings | None = None,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._bulk = bulk
        self._key = key
        self._region = region
        self._settings = settings or PullSettings()
        self._on_progress = on_progress

    def run(self, scope: PullScope) -> Counts:
        """Pull until nothing of the scope is due any more and return what was done.

        Raises a `SyrveError` that concerns all look-ups (login, right, outage), `PullIncomplete` where more than the tolerated share got
        no answer, `WarehouseError`. Whatever was committed before stays.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            try:
                with lease(connection) as number:
                    self._run(connection, number, scope, total)
            except SyrveError:
                self._commit_calls(connection)
                raise
        allowed = self._settings.failed_tolerance_share * total.requested
        if total.failed > allowed:
            raise PullIncomplete(
                f"{total.failed} of {total.requested} look-ups got no answer; the others are committed, these are due again",
                operation="customer_info",
            )
        return total

    def _run(self, connection: Connection, number: int, scope: PullScope, total: Counts) -> None:
        due_before = self._now(connection)
        left = scope.max_identities
        again: list[Lookup] = []
        tries: dict[Lookup, int] = {}
        while True:
            room = self._settings.batch_size - len(again)
            fresh = self._claim(connection, number, scope, due_before, room if left is None else min(room, left))
            if left is not None:
                left -= len(fresh)
            if not again and not fresh:
                return
            started = time.monotonic()
            results = self._bulk.look_up(again + fresh)
            _refuse_outage(results)
            again = self._to_try_again(results, tries)
            skipped = set(again)
            final = [result for result in results if result.lookup not in skipped]
            counts = self._commit(connection, number, final, started)
            total.add(counts)
            if self._on_progress is not None:
                self._on_progress(total)

    def _claim(
        self, connection: Connection, number: int, scope: PullScope, due_before: datetime, limit: int
    ) -> list[Lookup]:
        if limit <= 0:
            return []
        with transaction(connection, "claim due identities") as cursor:
            cursor.execute(
                sql("roster/claim.sql"),
                {
                    "organization_id": scope.organization_id,
                    "due_before": due_before,
                    "batch_limit": limit,
                    "lease": number,
                    "lease_class": LEASE_CLASS,
                    "lease_seconds": self._settings.lease_seconds,
                },
            )
            return [Lookup(scope.organization_id, kind, value) for kind, value in cursor.fetchall()]

    def _commit(self, connection: Connection, number: int, results: list[LookupResult], started: float) -> Counts:
        batch = prepare_batch(results, self._region)
        with transaction(connection, "merge customers") as cursor:
            counts = merge_batch(
                cursor,
                batch,
                lease=number,
                run_id=self._key.run_id,
                region=self._region,
                settings=self._settings,
            )
            stats = self._bulk.stats.take()
            counts.calls, counts.retries, counts.rate_limited = stats.calls, stats.retries, stats.rate_limited
            counts.seconds = time.monotonic() - started
            add_counts(cursor, self._key, counts)
        return counts

    def _commit_calls(self, connection: Connection) -> None:
        """Count the calls of a batch that came to nothing, in a transaction of their own."""
        stats = self._bulk.stats.take()
        counts = Counts(calls=stats.calls, retries=stats.retries, rate_limited=stats.rate_limited)
        with transaction(connection, "count calls") as cursor:
            add_counts(cursor, self._key, counts)

    def _to_try_again(self, results: list[LookupResult], tries: dict[Lookup, int]) -> list[Lookup]:
        """Return the look-ups that failed for a passing reason and have rounds left; their leases are kept."""
        again = []
        for result in results:
            if isinstance(result.error, Transient):
                tries[result.lookup] = tries.get(result.lookup, 0) + 1
                if tries[result.lookup] < self._settings.rounds:
                    again.append(result.lookup)
        return again

    def _now(self, connection: Connection) -> datetime:
        with transaction(connection, "read the clock") as cursor:
            cursor.execute("select now()")
            now: datetime = fetch_one(cursor)[0]
            return now


def _refuse_outage(results: list[LookupResult]) -> None:
    """Raise where no look-up of a batch got an answer: going on would only wear out the roster and the service."""
    errors = [result.error for result in results if isinstance(result.error, Transient)]
    if errors and len(errors) == len(results) >= OUTAGE_BATCH_SIZE:
        raise errors[0]
