"""Listens for signals for a while: takes them, has their customers pulled, and records the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable

from syrve.errors import SyrveProviderError
from syrve.signals.work import SignalWork, Worked

POLL_SECONDS = 1.0


class Listener:
    """`pull` looks up the customers of one organization whom signals made due. `clock` and `sleep` are there for tests."""

    def __init__(
        self,
        work: SignalWork,
        pull: Callable[[str], None],
        *,
        account: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._work = work
        self._pull = pull
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self.problems: dict[str, SyrveProviderError] = {}
        """What `pull` raised, by organization: such a one is left out from then on, and the others go on."""

    def listen(self, seconds: float) -> Worked:
        """Follow signals until that long has passed, and in any case those that waited. Raises `WarehouseError`."""
        total = Worked()
        until = self._clock() + seconds
        while True:
            done = self.follow()
            total.add(done)
            if self._work.is_full(done):
                continue
            if self._clock() + POLL_SECONDS >= until:
                return total
            self._sleep(POLL_SECONDS)

    def follow(self) -> Worked:
        """Work off a batch of what waits: what it leads to decides how many of the next one are followed."""
        done = self._work.take(at_most_batches=1)
        organization_ids = self._work.organizations_due(self._account)
        for organization_id in organization_ids:
            if organization_id not in self.problems:
                try:
                    self._pull(organization_id)
                except SyrveProviderError as problem:
                    self.problems[organization_id] = problem
        if organization_ids or done.taken:
            done.add(self._work.evaluate())
        return done
