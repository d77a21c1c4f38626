"""What Airflow does after a failure is what the error's class says."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import RetryAction, RetryPolicy
from airflow.sdk.exceptions import AirflowNotFoundException

from fixtures.errors import defined_exceptions, provider_errors
from syrve.api import errors as api_errors
from syrve.crm import errors as crm_errors
from syrve.customers.pull import PullIncomplete
from syrve.errors import SyrveProviderError
from syrve.operators.retry import syrve_retry_policy
from syrve.organizations import chosen
from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.warehouse import errors as warehouse_errors

FAILS_AT_ONCE = [
    api_errors.AuthenticationFailed,
    api_errors.ConfigurationError,
    api_errors.LoyaltyNotConfigured,
    api_errors.MalformedAnswer,
    api_errors.NotFound,
    api_errors.OutcomeUnknown,
    api_errors.PermissionDenied,
    api_errors.Rejected,
    api_errors.UnsupportedByDialect,
    api_errors.SyrveError,
    crm_errors.PushRefused,
    warehouse_errors.WarehouseConfigError,
    warehouse_errors.WarehouseError,
    UnusableSource,
]
WAITS_SECONDS = {
    api_errors.ConnectionFailed: 60,
    api_errors.RateLimited: 120,
    api_errors.ServiceUnavailable: 60,
    api_errors.Transient: 60,
    api_errors.UnreadableAnswer: 60,
    PullIncomplete: 60,
    crm_errors.NotYetKnown: 60,
    crm_errors.PushIncomplete: 60,
    warehouse_errors.WarehouseUnavailable: 30,
    UnreadableSource: 60,
}

FAMILIES = {
    "ApprovalError",
    "FindingsError",
    "NotificationError",
    "SyrveError",
    "UnknownConf",
    "UnusableSource",
    "WalletError",
    "WarehouseError",
}


def instance(cls: type[BaseException]) -> BaseException:
    if not issubclass(cls, api_errors.SyrveError):
        return cls("what went wrong")
    details: dict[str, Any] = {"right": "Guests: info"} if issubclass(cls, api_errors.PermissionDenied) else {}
    return cls("what went wrong", operation="customer_info", **details)


def decision(error: BaseException) -> tuple[RetryAction, timedelta | None]:
    found = syrve_retry_policy().evaluate(error, try_number=1, max_tries=4)
    return found.action, found.retry_delay


@pytest.mark.parametrize("cls", FAILS_AT_ONCE, ids=lambda cls: cls.__name__)
def test_what_a_retry_cannot_help_fails_at_once(cls: type[BaseException]) -> None:
    assert decision(instance(cls)) == (RetryAction.FAIL, None)


@pytest.mark.parametrize("cls", WAITS_SECONDS, ids=lambda cls: cls.__name__)
def test_what_may_pass_by_itself_waits_as_long_as_its_class_says(cls: type[BaseException]) -> None:
    assert decision(instance(cls)) == (RetryAction.RETRY, timedelta(seconds=WAITS_SECONDS[cls]))


@pytest.mark.parametrize("cls", provider_errors(), ids=lambda cls: cls.__name__)
def test_every_error_is_retried_as_its_own_class_says(cls: type[SyrveProviderError]) -> None:
    wait_seconds = cls.retry_after_seconds

    expected = (
        (RetryAction.FAIL, None) if wait_seconds is None else (RetryAction.RETRY, timedelta(seconds=wait_seconds))
    )
    assert decision(cls.__new__(cls)) == expected


def test_every_public_exception_is_below_the_one_root() -> None:
    outside = {cls.__qualname__ for cls in defined_exceptions() if not issubclass(cls, SyrveProviderError)}

    assert {name for name in outside if not name.startswith("_")} == set()
    assert {*FAILS_AT_ONCE, *WAITS_SECONDS} <= set(provider_errors())
    assert {family.__name__ for family in SyrveProviderError.__subclasses__()} >= FAMILIES


def test_class_made_later_is_treated_by_what_it_says_itself() -> None:
    class Overloaded(api_errors.RateLimited):
        retry_after_seconds = 900.0

    class Banned(api_errors.ServiceUnavailable):
        retry_after_seconds = None

    class Busy(warehouse_errors.WarehouseUnavailable):
        pass

    assert decision(instance(Overloaded)) == (RetryAction.RETRY, timedelta(minutes=15))
    assert decision(instance(Banned)) == (RetryAction.FAIL, None)
    assert decision(instance(Busy)) == (RetryAction.RETRY, timedelta(seconds=30))


def test_missing_airflow_connection_fails_at_once() -> None:
    assert decision(AirflowNotFoundException("The conn_id `syrve_default` isn't defined")) == (RetryAction.FAIL, None)


def test_error_from_outside_the_trees_gets_the_usual_retries() -> None:
    assert decision(MemoryError()) == (RetryAction.DEFAULT, None)


def test_mistyped_organization_in_the_form_fails_at_once() -> None:
    with pytest.raises(api_errors.SyrveError) as caught:
        chosen(["5f4e0008-0000-4000-8000-000000000001"], ["5f4e0008-0000-4000-8000-000000000002"])

    assert decision(caught.value) == (RetryAction.FAIL, None)


def test_reason_names_the_class_and_nothing_of_the_message() -> None:
    found = syrve_retry_policy().evaluate(instance(api_errors.RateLimited), 1, 4)

    assert found.reason == "RateLimited: may pass by itself"


def test_policy_works_the_same_copied_or_written_out_and_read() -> None:
    policy = syrve_retry_policy()

    for other in (copy.deepcopy(policy), type(policy).deserialize(policy.serialize())):
        assert isinstance(other, RetryPolicy)
        for cls in (*FAILS_AT_ONCE, *WAITS_SECONDS):
            assert other.evaluate(instance(cls), 1, 4) == policy.evaluate(instance(cls), 1, 4)


@pytest.mark.parametrize(("asked", "waits"), [(None, 120), (5.0, 120), (900.0, 900)])
def test_task_waits_as_long_as_syrve_asked(asked: float | None, waits: int) -> None:
    error = api_errors.RateLimited("slow down", operation="customer_info", wait_seconds=asked)

    assert decision(error) == (RetryAction.RETRY, timedelta(seconds=waits))
