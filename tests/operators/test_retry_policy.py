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
    found = syrve_retry_policy().evaluate(error, try_number=1, max_tries=24)
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


class Store:
    """Airflow's task state store for one task, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value


def decisions(tries: list[int], store: Any, max_tries: int = 24) -> list[tuple[RetryAction, float | None]]:
    context: Any = {"task_state_store": store}
    found = [syrve_retry_policy().evaluate(MemoryError(), number, max_tries, context) for number in tries]
    return [(each.action, each.retry_delay.total_seconds() if each.retry_delay else None) for each in found]


FIVE_FAILURES = [*((RetryAction.RETRY, wait) for wait in (60.0, 120.0, 240.0, 480.0)), (RetryAction.FAIL, None)]


def test_task_that_fails_is_tried_five_times_with_growing_waits() -> None:
    assert decisions([1, 2, 3, 4, 5], Store()) == FIVE_FAILURES


def test_interruptions_use_up_no_retry_of_a_real_failure() -> None:
    assert decisions([3, 7, 8, 12, 20], Store()) == FIVE_FAILURES


def test_cleared_task_gets_all_its_retries_again() -> None:
    store = Store()
    decisions([1, 2, 3, 4, 5], store)

    assert decisions([6, 7, 8, 9, 10], store, max_tries=29) == FIVE_FAILURES


@pytest.mark.parametrize("kept", ["broken", {"a": 1}, ["x", None]])
def test_store_that_holds_nonsense_does_not_end_the_task(kept: Any) -> None:
    store = Store()
    store.values["syrve_failed_tries"] = kept

    assert decisions([3], store) == [(RetryAction.RETRY, 60.0)]


def test_every_try_counts_if_airflow_keeps_no_state(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Store):
        def get(self, key: str, default: Any = None) -> Any:
            raise OSError(f"{key} of a guest")

    assert decisions([1, 2, 3, 4, 5], Away()) == FIVE_FAILURES
    assert "could not be counted" in caplog.text
    assert "guest" not in caplog.text


def test_mistyped_organization_in_the_form_fails_at_once() -> None:
    with pytest.raises(api_errors.SyrveError) as caught:
        chosen(["5f4e0008-0000-4000-8000-000000000001"], ["5f4e0008-0000-4000-8000-000000000002"])

    assert decision(caught.value) == (RetryAction.FAIL, None)


def test_reason_names_the_class_and_nothing_of_the_message() -> None:
    found = syrve_retry_policy().evaluate(instance(api_errors.RateLimited), 1, 24)

    assert found.reason == "RateLimited: may pass by itself"


def test_policy_works_the_same_copied_or_written_out_and_read() -> None:
    policy = syrve_retry_policy()

    for other in (copy.deepcopy(policy), type(policy).deserialize(policy.serialize())):
        assert isinstance(other, RetryPolicy)
        for cls in (*FAILS_AT_ONCE, *WAITS_SECONDS):
            assert other.evaluate(instance(cls), 1, 24) == policy.evaluate(instance(cls), 1, 24)


@pytest.mark.parametrize(("asked", "waits"), [(None, 120), (5.0, 120), (900.0, 900)])
def test_task_waits_as_long_as_syrve_asked(asked: float | None, waits: int) -> None:
    error = api_errors.RateLimited("slow down", operation="customer_info", wait_seconds=asked)

    assert decision(error) == (RetryAction.RETRY, timedelta(seconds=waits))
