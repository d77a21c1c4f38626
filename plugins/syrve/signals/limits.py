"""How much the receiver takes: sizes, times and rates, all bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """Sizes are bytes. `events_per_second` is that of one organization; `requests_at_once` counts all under way.

    `secrets_seconds` is how soon a secret that was made or retired counts.
    """

    max_body_bytes: int = 1_000_000
    max_unproven_body_bytes: int = 64_000
    """Of a body that must be read to find the secret in it."""
    read_seconds: float = 10.0
    unproven_read_seconds: float = 5.0
    events_per_second: float = 2_000.0
    requests_at_once: int = 500
    secrets_seconds: float = 30.0


class Rate:
    """Lets so many events a second through, and as many at once after a pause."""

    __slots__ = ("_clock", "_left", "_per_second", "_seen_at")

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._left = per_second
        self._seen_at = clock()

    def takes(self, count: int) -> bool:
        """Count events, or say that they are too many for now."""
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if self._left < min(count, self._per_second):
            return False
        self._left -= count
        return True
