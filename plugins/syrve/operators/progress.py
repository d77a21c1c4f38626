"""Tells how far a pull is, as a rate and an estimate: in the task's log, and for a backfill on the run's note."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from syrve.operators.base import format_counts

if TYPE_CHECKING:
    from syrve.customers.backfill import BackfillProgress
    from syrve.hooks.run_note import RunNote
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.runs import Counts, TaskKey

log = logging.getLogger(__name__)


class ProgressLog:
    """Logs counts, rate and, where it is known how many look-ups are expected, the time left; at most every few seconds."""

    def __init__(
        self,
        expected: int | None = None,
        *,
        every_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expected = expected
        self._every_seconds = every_seconds
        self._clock = clock
        self._started = self._logged = clock()

    def __call__(self, counts: Counts) -> None:
        """Log where the pull stands, if it is time."""
        now = self._clock()
        if now - self._logged >= self._every_seconds:
            self._logged = now
            left = max(0, (self._expected or 0) - counts.requested)
            log.info("%s; %s", format_counts(counts), format_rate(counts.requested, now - self._started, left))


class BackfillNote:
    """Writes on the run's note how far its backfill is: all its tasks together, at the rate since this one began."""

    def __init__(
        self, warehouse: Warehouse, note: RunNote, key: TaskKey, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._warehouse = warehouse
        self._note = note
        self._key = key
        self._clock = clock
        self._started = clock()
        self._looked_up_before: int | None = None

    def __call__(self, counts: Counts) -> None:
        """Write the note, if it is time."""
        if not self._note.is_due():
            return
        from syrve.customers.backfill import read_progress

        progress = read_progress(self._warehouse, self._key.run_id, self._key.task)
        if progress is None:
            return
        if self._looked_up_before is None:
            self._looked_up_before = progress.looked_up - counts.requested
        done = progress.looked_up - self._looked_up_before
        left = max(0, progress.requested - progress.looked_up)
        self._note.write(f"{format_backfill(progress)}; {format_rate(done, self._clock() - self._started, left)}")


def format_backfill(progress: BackfillProgress) -> str:
    """Say how far a backfill is, leaving out what is zero."""
    share = f" ({min(1.0, progress.looked_up / progress.requested):.0%})" if progress.requested else ""
    outcomes = {
        "changed": progress.changed,
        "not found": progress.not_found,
        "rejected": progress.rejected,
        "failed": progress.failed,
    }
    ended = "".join(f", {name} {count:,}" for name, count in outcomes.items() if count)
    return f"backfill {progress.backfill_id}: {progress.looked_up:,} of {progress.requested:,} looked up{share}{ended}"


def format_rate(done: int, seconds: float, left: int) -> str:
    """Say how fast it goes and, where there is something left, for how long."""
    rate = f"{60 * done / seconds:,.0f} look-ups a minute" if seconds > 0 else "just begun"
    if not left or not done:
        return rate
    return f"{rate}, about {timedelta(seconds=round(left * seconds / done))} left for {left:,} more"
