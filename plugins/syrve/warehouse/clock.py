"""The database's clock is the one that counts: times of a worker are put right by it, and none lies in its future."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from syrve.warehouse.database import Connection, Cursor, fetch_one, transaction

log = logging.getLogger(__name__)

NOTABLE_SKEW_SECONDS = 2.0
"""A smaller difference may be the way to the database and back; it is left as it is."""


class WarehouseClock:
    """Translates moments of this worker's clock; the skew between the two is measured whenever the database's is read, and told in the log.

    `skew_seconds` is above zero where the worker is ahead. `local` is the worker's clock, for tests.
    """

    def __init__(self, connection: Connection, *, local: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._connection = connection
        self._local = local
        self._skew = self._former_skew = timedelta()
        self.now()

    @property
    def skew_seconds(self) -> float:
        """By how much the worker's clock is ahead; 0 if it differs by no more than the way to the database may take."""
        return self._skew.total_seconds()

    def now(self) -> datetime:
        """Read the database's clock, and whether the worker's was set since the last time."""
        before = self._local()
        with transaction(self._connection, "read the clock") as cursor:
            cursor.execute("select clock_timestamp()")
            now: datetime = fetch_one(cursor)[0]
        self._former_skew = self._skew
        self._measure(before, now, self._local())
        return now

    def _measure(self, before: datetime, now: datetime, after: datetime) -> None:
        way = after - before
        skew = before + way / 2 - now
        if way < timedelta() or abs(skew - self._skew) <= timedelta(seconds=NOTABLE_SKEW_SECONDS) + way / 2:
            return
        self._skew = skew if abs(skew.total_seconds()) > NOTABLE_SKEW_SECONDS else timedelta()
        if self._skew:
            log.warning(
                "The clock of this worker is %.1f s %s that of the warehouse; times are put right by the latter. Set the clock",
                abs(self.skew_seconds),
                "ahead of" if self.skew_seconds > 0 else "behind",
            )

    def put_right(self, moment: datetime, latest: datetime) -> datetime:
        """Return a moment of the worker's clock by the database's, `latest` at most.

        If the clock was just found to have been set, the moment may be of before or after: it is the later one that is possible.
        """
        possible = {moment - self._former_skew, moment - self._skew}
        return max((each for each in possible if each <= latest), default=latest)


def put_times_right(cursor: Cursor) -> None:
    """Put right what the database's clock has written while it ran ahead, if it was set back since; told in the log.

    Without this, answers would count as older than what the mirror has until the clock has caught up.
    """
    cursor.execute("select sync.put_times_right()")
    ahead = fetch_one(cursor)[0]
    if ahead is not None:
        log.warning(
            "The clock of the warehouse was set back: times up to %s ahead of it are put right, and who was looked up then is due",
            ahead,
        )
