"""The pull: claim identities, look them up, merge, reschedule; a batch at a time.

While one half of a batch is looked up, the other half is merged. What is merged commits as a whole: its data, its history, its roster
rows and its counts. A task that is killed loses the batch it had leased, which is free again as soon as its connection is gone, and
nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from syrve.api.bulk import LookupResult
from syrve.api.errors import RateLimited, SyrveError, Transient, UnreadableAnswer
from syrve.api.models import Lookup
from syrve.api.protocol import CallStats
from syrve.customers.claims import Claimer, PullScope
from syrve.customers.holding import CustomersHeldBack
from syrve.customers.merge import merge_batch, prepare_batch
from syrve.customers.pull_settings import OUTAGE_BATCH_SIZE, PullSettings
from syrve.warehouse.breaker import HOW_TO_DECIDE
from syrve.warehouse.clock import WarehouseClock
from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.leases import lease
from syrve.warehouse.runs import Counts, TaskKey, add_counts
from syrve.warehouse.staging import prepare_staging

log = logging.getLogger(__name__)


class PullIncomplete(Transient):
    """Too many look-ups of a pull got no answer; what did land has been committed, the rest is due again."""


class PullPoint(StrEnum):
    """The moments of a pull between which something is half done: where a kill must do no harm."""

    CLAIMED = "claimed"
    LOOKED_UP = "looked up"
    MERGED = "merged, not committed"
    COMMITTED = "committed"


class LooksUp(Protocol):
    """What a pull needs of `BulkLookup`."""

    stats: CallStats

    def look_up(self, lookups: Sequence[Lookup]) -> list[LookupResult]:
        """Look a batch up and return a result for each."""
        ...

    def stop(self) -> None:
        """End the look-ups under way, from another thread."""
        ...


class CustomerPull:
    """One task's pull; `bulk` must be entered by the caller, who may share it.

    `on_progress` is told the counts after every commit, `on_point` each `PullPoint` (for tests that kill a pull there).
    """

    def __init__(
        self,
        warehouse: Warehouse,
        bulk: LooksUp,
        *,
        key: TaskKey,
        region: str,
        settings: PullSettings | None = None,
        on_progress: Callable[[Counts], None] | None = None,
        on_point: Callable[[PullPoint], None] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._bulk = bulk
        self._key = key
        self._region = region
        self._settings = settings or PullSettings()
        self._newly_held = 0
        self._on_progress = on_progress or _nothing
        self._on_point = on_point or _nothing

    def run(self, scope: PullScope) -> Counts:
        """Pull until nothing of the scope is left and return what was done.

        Raises a `SyrveError` that concerns all look-ups (login, right, outage, a pause that Syrve asked for), `PullIncomplete` if more
        than the tolerated share got no answer, `CustomersHeldBack` if a breaker held answers back, `WarehouseError`. What was
        committed before stays.
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
        self._refuse_held_back(total, scope.organization_id)
        allowed = self._settings.failed_tolerance_share * total.requested
        if total.failed > allowed:
            raise PullIncomplete(
                f"{total.failed} of {total.requested} look-ups got no answer; the others are committed, these are due again",
                operation="customer_info",
            )
        return total

    def _run(self, connection: Connection, number: int, scope: PullScope, total: Counts) -> None:
        clock = WarehouseClock(connection)
        claimer = Claimer(scope, self._settings, lease=number, due_before=clock.now())
        half = max(1, self._settings.batch_size // 2)
        tries: dict[Lookup, tuple[int, float]] = {}
        again: list[Lookup] = []
        answered: list[LookupResult] = []
        started = time.monotonic()
        with ThreadPoolExecutor(1, thread_name_prefix="look-up") as looking:
            while True:
                fresh = claimer.claim(connection, half - len(again))
                self._on_point(PullPoint.CLAIMED)
                asked = again + fresh
                under_way = looking.submit(self._bulk.look_up, asked) if asked else None
                try:
                    if answered:
                        total.add(self._commit(connection, clock, number, answered, started))
                        self._on_progress(total)
                        started = time.monotonic()
                    if under_way is None or _says_all_are_gone(total):
                        return
                    results = under_way.result()
                finally:
                    self._stop(under_way)
                self._on_point(PullPoint.LOOKED_UP)
                pause = _longest_pause(results)
                if pause is not None:
                    self._commit_before(connection, clock, number, results, started, total)
                    raise pause
                _refuse_outage(results)
                again = self._to_try_again(results, tries)
                unfinished = set(again)
                answered = [result for result in results if result.lookup not in unfinished]

    def _stop(self, under_way: Future[list[LookupResult]] | None) -> None:
        """If the merge failed or the task is being ended, don't wait for look-ups whose results are not needed."""
        if under_way is not None and not under_way.done():
            self._bulk.stop()

    def _commit(
        self,
        connection: Connection,
        clock: WarehouseClock,
        number: int,
        results: list[LookupResult],
        started: float,
    ) -> Counts:
        batch = prepare_batch(_by_clock(clock, results), self._region)
        with transaction(connection, "merge customers") as cursor:
            counts = merge_batch(
                cursor,
                batch,
                lease=number,
                key=self._key,
                region=self._region,
                settings=self._settings,
            )
            stats = self._bulk.stats.take()
            counts.calls, counts.retries, counts.rate_limited = stats.calls, stats.retries, stats.rate_limited
            counts.seconds = time.monotonic() - started
            add_counts(cursor, self._key, counts)
            self._on_point(PullPoint.MERGED)
        self._newly_held += batch.newly_held
        self._on_point(PullPoint.COMMITTED)
        return counts

    def _commit_before(
        self,
        connection: Connection,
        clock: WarehouseClock,
        number: int,
        results: list[LookupResult],
        started: float,
        total: Counts,
    ) -> None:
        """Commit what Syrve answered before it asked for a pause; the others stay due, with no failure counted against them."""
        answered = [result for result in results if not isinstance(result.error, Transient)]
        if answered:
            total.add(self._commit(connection, clock, number, answered, started))
            self._on_progress(total)

    def _refuse_held_back(self, total: Counts, organization_id: str) -> None:
        """Fail the run that held answers back; those that wait for a decision since an earlier run are only told in the log."""
        held_back_text = (
            f"{total.held_back} of {total.requested} answers are held back for organization {organization_id}: Syrve says of more "
            "customers than is plausible that they are gone or empty, or another person, or that their phones and cards are others' now. "
            f"Look at sync.breaker and sync.held_back, then {HOW_TO_DECIDE}"
        )
        if self._newly_held:
            raise CustomersHeldBack(f"{held_back_text}. All other answers are committed", operation="customer_info")
        if total.held_back:
            log.warning("Still undecided: %s", held_back_text)

    def _commit_calls(self, connection: Connection) -> None:
        """Count the calls of a batch that came to nothing, in a separate transaction."""
        stats = self._bulk.stats.take()
        counts = Counts(calls=stats.calls, retries=stats.retries, rate_limited=stats.rate_limited)
        with transaction(connection, "count calls") as cursor:
            add_counts(cursor, self._key, counts)

    def _to_try_again(self, results: list[LookupResult], tries: dict[Lookup, tuple[int, float]]) -> list[Lookup]:
        """Return the look-ups that failed for a passing reason and have rounds left; their leases are kept.

        Not those whose answer is no JSON: it was asked for until it was clear that it is the record's, and others wait. Nor those that have
        cost `again_within_seconds`: they are due again in a minute.
        """
        again = []
        for result in results:
            if isinstance(result.error, Transient) and not isinstance(result.error, UnreadableAnswer):
                rounds, seconds = tries.get(result.lookup, (0, 0.0))
                tries[result.lookup] = rounds, seconds = rounds + 1, seconds + result.error.tried_seconds
                if rounds < self._settings.rounds and seconds < self._settings.again_within_seconds:
                    again.append(result.lookup)
        return again


def _says_all_are_gone(total: Counts) -> bool:
    """Whether most answers had to be held back: the service is wrong, and asking it about the others only costs calls."""
    return total.held_back * 2 > total.requested >= OUTAGE_BATCH_SIZE


def _nothing(_: object) -> None:
    pass


def _by_clock(clock: WarehouseClock, results: list[LookupResult]) -> Iterator[LookupResult]:
    """Put the times of answers right: one in the database's future would keep every later answer out."""
    latest = clock.now()
    for result in results:
        moment = clock.put_right(result.received_at, latest)
        yield result if moment == result.received_at else replace(result, received_at=moment)


def _longest_pause(results: list[LookupResult]) -> RateLimited | None:
    """Return the longest pause that Syrve asked for and no call may wait for; None if there is none."""
    pauses = [
        result.error for result in results if isinstance(result.error, RateLimited) and result.error.outlasts_call
    ]
    return max(pauses, key=lambda pause: pause.wait_seconds or 0.0, default=None)


def _refuse_outage(results: list[LookupResult]) -> None:
    """Raise where no look-up of a batch got an answer: going on would only wear out the roster and the service."""
    errors = [result.error for result in results if isinstance(result.error, Transient)]
    if errors and len(errors) == len(results) >= OUTAGE_BATCH_SIZE:
        raise errors[0]
