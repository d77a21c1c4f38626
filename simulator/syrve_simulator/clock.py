"""The time of the simulated service: the machine's, or moved from it by the control path, so that months pass in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Tells the time of money and of new customers; tokens, delays and the uptime go by the machine's clock."""

    def __init__(self, machine: Callable[[], float] = time.time) -> None:
        self._machine = machine
        self._ahead_seconds = 0.0
        self._stands_at: float | None = None

    def seconds(self) -> float:
        """Return the time as seconds since 1970."""
        return self._machine() + self._ahead_seconds if self._stands_at is None else self._stands_at

    @property
    def ahead_seconds(self) -> float:
        """How far it is from the machine's clock."""
        return self._ahead_seconds if self._stands_at is None else self._stands_at - self._machine()

    @property
    def stands_still(self) -> bool:
        """Whether it waits to be set again."""
        return self._stands_at is not None

    def now(self) -> datetime:
        """Return the time in UTC to the millisecond, as the service tells it."""
        return moment_of(self.seconds())

    def set(self, moment: datetime, *, stands_still: bool = False) -> None:
        """Go on from that moment, or stand still at it; it must have an offset from UTC. Going back is allowed and undoes nothing."""
        self._ahead_seconds = moment.timestamp() - self._machine()
        self._stands_at = moment.timestamp() if stands_still else None

    def reset(self) -> None:
        """Go by the machine's clock again."""
        self._ahead_seconds = 0.0
        self._stands_at = None


def moment_of(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(round(seconds, 6), UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
