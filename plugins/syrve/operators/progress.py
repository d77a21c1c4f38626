"""Tells how far a pull is: in the task's log, as a rate and an estimate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from syrve.operators.base import told

if TYPE_CHECKING:
    from syrve.warehouse.runs import Counts

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
            log.info("%s; %s", told(counts), self._rate(counts.requested, now - self._started))

    def _rate(self, done: int, seconds: float) -> str:
        rate = f"{60 * done / seconds:,.0f} look-ups a minute"
        left = max(0, (self._expected or 0) - done)
        if not left or not done:
            return rate
        return f"{rate}, about {timedelta(seconds=round(left * seconds / done))} left for {left:,} more"
