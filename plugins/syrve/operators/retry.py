"""Airflow's retry policy, made from the one tree of errors: each class says once whether and when to try again."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from syrve.errors import SyrveProviderError

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

FAILURES_AT_MOST = 5
"""After this many failures a task has failed: it was tried once, and retried four times."""
INTERRUPTIONS_AT_MOST = 20
"""How many more times a task may be tried after interruptions, such as a lost worker.

On Airflow 3.3.2 it is also one when an answer given in the first moment makes the scheduler take a task that asks for a failed one.
"""
RETRIES = FAILURES_AT_MOST - 1 + INTERRUPTIONS_AT_MOST
"""What Airflow is told: it counts failures and interruptions together."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 60.0, 900.0
FAILED_TRIES = "syrve_failed_tries"
"""Key of Airflow's task state store, which outlives a try."""


class SyrveRetryPolicy(RetryPolicy):
    """Fails at once what cannot pass by itself, and lets the rest wait as long as its class says.

    If Syrve asked for a longer wait (`RateLimited.wait_seconds`), the task waits that long; after an error from outside the tree it
    waits a minute, then ever longer. A task that has failed `FAILURES_AT_MOST` times since it was started or cleared is not retried.
    Tries that were interrupted (the worker was killed, or lost) never get here and do not count.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by what the class of the exception says of itself."""
        if isinstance(exception, AirflowNotFoundException):
            return RetryDecision.fail(reason="Airflow has no such connection: a retry cannot help")
        name = type(exception).__name__
        ours = exception if isinstance(exception, SyrveProviderError) else None
        if ours is not None and ours.retry_after_seconds is None:
            return RetryDecision.fail(reason=f"{name}: a retry cannot help")
        failures = _count_failure(context, try_number, max_tries)
        if failures >= FAILURES_AT_MOST:
            return RetryDecision.fail(reason=f"{name}: the task has failed {failures} times")
        wait_seconds = min(FIRST_WAIT_SECONDS * 2 ** (failures - 1), LONGEST_WAIT_SECONDS)
        if ours is not None:
            asked_wait_seconds: float = getattr(ours, "wait_seconds", None) or 0  # of `RateLimited`
            wait_seconds = max(ours.retry_after_seconds or 0, asked_wait_seconds)
        return RetryDecision.retry(delay=timedelta(seconds=wait_seconds), reason=f"{name}: may pass by itself")

    def serialize(self) -> dict[str, Any]:
        """Return the class's name: the policy has no state."""
        return {"__type": f"{type(self).__module__}.{type(self).__qualname__}"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SyrveRetryPolicy:  # noqa: ARG003 - the signature is Airflow's
        """Return a policy; there is nothing to read."""
        return cls()


def syrve_retry_policy() -> SyrveRetryPolicy:
    """Return the policy for every task of this package."""
    return SyrveRetryPolicy()


def _count_failure(context: Context | None, try_number: int, max_tries: int) -> int:
    """Remember that this try failed, and return how many have since the task was started or cleared.

    If Airflow does not keep it, every try so far counts as a failure.
    """
    before = max(max_tries - RETRIES, 0)  # clearing a task moves the most tries on by its retries
    failed = list(range(before + 1, try_number + 1))
    if context is None:
        return len(failed)
    try:
        store = context["task_state_store"]
        kept = store.get(FAILED_TRIES, [])
        known = {number for number in kept if isinstance(number, int)} if isinstance(kept, list) else set()
        failed = sorted({number for number in known if before < number < try_number} | {try_number})
        store.set(FAILED_TRIES, [*failed])
    except (AirflowRuntimeError, OSError, LookupError, RuntimeError, ValueError) as error:
        log.warning("The failures of this task could not be counted apart from interruptions: %s", type(error).__name__)
    return len(failed)
