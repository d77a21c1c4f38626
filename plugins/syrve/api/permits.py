"""Spends a budget of calls per minute that another object keeps; does no I/O.

The keeper (`syrve.warehouse.budget`) grants permits a few at a time; each permit is a moment before which its call must not be sent. A
`PermitLine` turns grants into such moments on the local monotonic clock and gives them out one by one.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from syrve.api.endpoints import Family
from syrve.grants import Grant

STALE_AFTER_SECONDS = 1.0
"""A permit that was not used for this time is lost: used late, it would crowd a later minute."""
PLACE_SECONDS = 0.05
"""How often to ask again where all places for calls under way are taken."""


class Permits(Protocol):
    """Keeps the budgets of one account, shared with all its callers."""

    def take(self, family: Family, wanted: int) -> Grant:
        """Take up to `wanted` permits."""
        ...

    def pause(self, family: Family, seconds: float) -> None:
        """Hold back all calls of a family for that time: Syrve refused one."""
        ...

    def answered(self, family: Family, seconds: float) -> None:
        """Note how long an answer took."""
        ...

    def bounds_in_flight(self, family: Family) -> bool:
        """Whether calls of a family under way at once are bounded: `enter` before each of them then, and `leave` after it."""
        ...

    def enter(self, family: Family) -> bool:
        """Take one of the places for calls under way; False while others have them all."""
        ...

    def leave(self, family: Family) -> None:
        """Give the place back."""
        ...


class PermitLine:
    """Permits of one family that are granted and not used yet; threads may share it."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._moments)

    def next_moment(self, now: float) -> float | None:
        """Take the next permit and return its moment (monotonic seconds), or None if a new grant is needed."""
        with self._lock:
            while self._moments:
                moment = self._moments.popleft()
                if moment > now - STALE_AFTER_SECONDS:
                    return moment
        return None

    def take_due(self, now: float) -> bool:
        """Take the next permit if there is one whose moment has come."""
        if not self._moments:
            return False
        with self._lock:
            while self._moments and self._moments[0] <= now:
                if self._moments.popleft() > now - STALE_AFTER_SECONDS:
                    return True
        return False

    def add(self, grant: Grant, now: float) -> None:
        """Line up the permits of a grant that arrived at `now`."""
        first = now + grant.wait_seconds
        with self._lock:
            self._moments.extend(first + index * grant.spacing_seconds for index in range(grant.count))

    def drop(self) -> None:
        """Forget all permits: Syrve has asked for a pause."""
        with self._lock:
            self._moments.clear()
