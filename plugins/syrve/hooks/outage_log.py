"""Says in a task's log why a call to Syrve waits: a task that is silent for minutes looks as if it hung."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from syrve.api.errors import ConnectionFailed, RateLimited, ServiceUnavailable, SyrveError

log = logging.getLogger(__name__)

QUIET_SECONDS = 5.0
"""Many look-ups wait at once: the same trouble is told once in this time."""


class OutageLog:
    """Logs what a call waits for, with host, connection and what to check; called before each repeat of a call, from any thread.

    `place` is the host and the connection's id.
    """

    def __init__(self, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._reported_at: dict[type[SyrveError], float] = {}
        self._lock = threading.Lock()

    def __call__(self, error: SyrveError, wait_seconds: float) -> None:
        """Log it, unless the same was just told."""
        now = self._clock()
        with self._lock:
            if now - self._reported_at.get(type(error), -QUIET_SECONDS) < QUIET_SECONDS:
                return
            self._reported_at[type(error)] = now
        what, advice = _worded(error, self._place)
        log.warning("%s. %s %s waits; the next try is in %.1f s", what, advice, error.operation, wait_seconds)


def _worded(error: SyrveError, place: str) -> tuple[str, str]:
    status = f", status {error.status}" if error.status is not None else ""
    match error:
        case ConnectionFailed():
            advice = "Check the host, and that this machine may connect to it."
            return f"Syrve cannot be reached at {place}: {error.message}", advice
        case RateLimited():
            return f"Syrve at {place} asks to slow down{status}", "If it comes often, lower the connection's budgets."
        case ServiceUnavailable():
            return f"Syrve at {place} is in trouble{status}", "Nothing is to be done here; it seldom lasts."
    return f"Syrve at {place} gave no usable answer: {error.message}{status}", "Check that the host is that of Syrve."
