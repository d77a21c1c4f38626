"""The time of the simulated service: the machine's, or moved from it by the control path, so that months pass in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Tells the time of money and of new customers; tokens, delays and the uptime go by the machine's clock."""

    def __init__(self, machine: Callable[[], float] = time.time) -> None:
        self._machine = machine
        self.ahead_seconds = 0.0

    def seconds(self) -> float:
        """Return the time as seconds since 1970."""
        return self._machine() + self.ahead_seconds

    def now(self) -> datetime:
        """Return the time in UTC to the millisecond, as the service tells it."""
        return moment_of(self.seconds())

    def set(self, moment: datetime) -> None:
        """Go on from that moment, which must have an offset from UTC; going back is allowed and undoes nothing."""
        self.ahead_seconds = moment.timestamp() - self._machine()

    def reset(self) -> None:
        """Go by the machine's clock again."""
        self.ahead_seconds = 0.0


def moment_of(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(round(seconds, 6), UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
