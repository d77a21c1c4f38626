"""Airflow's retry policy, made from the one tree of errors: each class says once whether and when to try again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowNotFoundException

from syrve.errors import SyrveProviderError

if TYPE_CHECKING:
    from airflow.sdk import Context


class SyrveRetryPolicy(RetryPolicy):
    """Fails at once what cannot pass by itself, and lets the rest wait as long as its class says.

    If Syrve asked for a longer wait (`RateLimited.wait_seconds`), the task waits that long. An error from outside the tree gets
    Airflow's usual retries.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by what the class of the exception says of itself."""
        if isinstance(exception, AirflowNotFoundException):
            return RetryDecision.fail(reason="Airflow has no such connection: a retry cannot help")
        if not isinstance(exception, SyrveProviderError):
            return RetryDecision.default()
        name = type(exception).__name__
        wait_seconds = exception.retry_after_seconds
        if wait_seconds is None:
            return RetryDecision.fail(reason=f"{name}: a retry cannot help")
        asked_wait_seconds: float = getattr(exception, "wait_seconds", None) or 0  # of `RateLimited`
        return RetryDecision.retry(
            delay=timedelta(seconds=max(wait_seconds, asked_wait_seconds)), reason=f"{name}: may pass by itself"
        )

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
