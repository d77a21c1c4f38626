"""How much the receiver takes: sizes, times and rates, all bounded. Who is not proven takes no place from who is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from syrve.signals.errors import Refused


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """Sizes are bytes. `events_per_second` is that of one organization; `requests_at_once` counts proven ones whose body has come.

    `secrets_seconds` is how soon a retired secret is refused, `new_secrets_seconds` how soon a new one is known.
    """

    max_body_bytes: int = 1_000_000
    max_unproven_body_bytes: int = 64_000
    """Of a body that must be read to find the secret in it."""
    read_seconds: float = 10.0
    unproven_read_seconds: float = 5.0
    events_per_second: float = 2_000.0
    requests_at_once: int = 500
    proven_at_once: int = 200
    """Bodies under way of senders who speak for the same organizations: beyond it the newest takes the place of the slowest."""
    unproven_at_once: int = 200
    """Bodies under way of senders who are not proven yet: beyond it the newest takes the place of the slowest."""
    secrets_seconds: float = 30.0
    new_secrets_seconds: float = 1.0
    """However many unknown secrets come, they are looked for no more often."""


class Rate:
    """Lets a number of events per second through, and as many together after a pause."""

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


class AtOnce:
    """Lets a number through at the same time."""

    __slots__ = ("_most", "_under_way")

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one more, or raise `Refused`."""
        if self._under_way >= self._most:
            raise Refused(503, "too many requests at once", closes=True)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


class Places:
    """Lets a number wait at the same time; a newcomer takes the place of who waits longest, for whom the time is then over.

    So a sender that sends immediately is served, even if many others send slowly or nothing.
    """

    __slots__ = ("_count", "_waiting")

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: dict[asyncio.Timeout, None] = {}

    @asynccontextmanager
    async def one(self, seconds: float) -> AsyncIterator[None]:
        """Wait inside for this time at most; then, or as soon as another needs the place, raises `TimeoutError`."""
        if len(self._waiting) >= self._count:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            if not longest.expired():
                longest.reschedule(asyncio.get_running_loop().time())
        async with asyncio.timeout(seconds) as limit:
            self._waiting[limit] = None
            try:
                yield
            finally:
                self._waiting.pop(limit, None)
