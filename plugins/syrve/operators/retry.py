"""Airflow's retry policy, made from the error trees: each error class says once whether and when to try again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.retry_policy import RetryDecision


class SyrveRetryPolicy(ExceptionRetryPolicy):
    """Fails at once what cannot pass by itself, and lets the rest wait as long as its class says.

    Where Syrve asked for a longer wait (`RateLimited.wait_seconds`), the task waits that long. The rules are made at the first failure:
    making them imports the database driver, which a DAG file must not do when it is parsed.
    """

    def __init__(self) -> None:
        super().__init__(rules=[])

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by the first rule that the exception matches; one from outside the trees gets Airflow's usual retries."""
        if not self.rules:
            self.rules = [_rule(cls) for cls in _error_classes()]
        decision = super().evaluate(exception, try_number, max_tries, context)
        asked_wait_seconds: float | None = getattr(exception, "wait_seconds", None)  # of `RateLimited`
        if decision.action is RetryAction.RETRY and decision.retry_delay is not None and asked_wait_seconds:
            longer = max(decision.retry_delay, timedelta(seconds=asked_wait_seconds))
            return replace(decision, retry_delay=longer)
        return decision


def syrve_retry_policy() -> SyrveRetryPolicy:
    """Return the policy for every task of this package."""
    return SyrveRetryPolicy()


def _error_classes() -> list[type[BaseException]]:
    """List every class of the trees, the most special first: the first rule that matches wins."""
    from syrve.api.errors import SyrveError
    from syrve.approvals.errors import ApprovalError
    from syrve.customers.errors import UnusableSource
    from syrve.findings.errors import FindingsError
    from syrve.notifications.errors import NotificationError
    from syrve.operators.conf import UnknownConf
    from syrve.wallet.errors import WalletError
    from syrve.warehouse.errors import WarehouseError

    def below(cls: type[BaseException]) -> list[type[BaseException]]:
        return [leaf for child in cls.__subclasses__() for leaf in below(child)] + [cls]

    return [
        cls
        for root in (
            SyrveError,
            WarehouseError,
            ApprovalError,
            UnknownConf,
            UnusableSource,
            WalletError,
            FindingsError,
            NotificationError,
        )
        for cls in below(root)
    ]


def _rule(cls: type[BaseException]) -> RetryRule:
    wait_seconds: float | None = getattr(cls, "retry_after_seconds", None)
    if wait_seconds is None:
        return RetryRule(exception=cls, action=RetryAction.FAIL, reason=f"{cls.__name__}: a retry cannot help")
    return RetryRule(
        exception=cls,
        action=RetryAction.RETRY,
        retry_delay=timedelta(seconds=wait_seconds),
        reason=f"{cls.__name__}: may pass by itself",
    )
