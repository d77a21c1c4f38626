"""Airflow's retry policy, made from the error trees: each error class says once whether and when to try again."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from syrve.api import errors as api_errors
from syrve.warehouse import errors as warehouse_errors

_WAREHOUSE_ERRORS = (
    warehouse_errors.WarehouseConfigError,
    warehouse_errors.WarehouseUnavailable,
    warehouse_errors.WarehouseError,
)


def syrve_retry_policy() -> ExceptionRetryPolicy:
    """Return the policy for every task of this package: what cannot pass by itself fails at once, the rest waits as long as it says."""
    listed = [cls for cls in api_errors.all_error_classes() if cls.__module__ == api_errors.__name__]
    return ExceptionRetryPolicy(rules=[_rule(cls) for cls in (*listed, *_WAREHOUSE_ERRORS)])


def _rule(cls: type[api_errors.SyrveError] | type[warehouse_errors.WarehouseError]) -> RetryRule:
    path = f"{cls.__module__}.{cls.__qualname__}"
    wait = cls.retry_after_seconds
    if wait is None:
        return RetryRule(exception=path, action=RetryAction.FAIL, reason=f"{cls.__name__}: a retry cannot help")
    return RetryRule(
        exception=path,
        action=RetryAction.RETRY,
        retry_delay=timedelta(seconds=wait),
        reason=f"{cls.__name__}: may pass by itself",
    )
