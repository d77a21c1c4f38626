"""Both transports against the simulator: the same customers, and the same outages survived."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from api.conftest import Ask
from fixtures.pulls import IMPATIENT
from syrve.api.bulk import READ_TOGETHER, BulkLookup
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.errors import (
    AuthenticationFailed,
    LoyaltyNotConfigured,
    MalformedAnswer,
    NotConnected,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServiceUnavailable,
)
from syrve.api.models import Customer, CustomerChange, Lookup
from syrve.api.tokens import MAX_TOKENS_REFUSED_UNUSED
from syrve_simulator.control import CustomerState, RawAnswer
from syrve_simulator.process import SimulatorProcess


@pytest.fixture
def customers(simulator: SimulatorProcess, organization_id: str) -> list[CustomerState]:
    return simulator.control.customers_page(organization_id, limit=40)


@pytest.fixture
def lookups(customers: list[CustomerState], organization_id: str) -> list[Lookup]:
    """Phone, id and card of every customer."""
    found = []
    for customer in customers:
        found.append(Lookup(organization_id, "phone", customer["phone"] or ""))
        found.append(Lookup(organization_id, "id", customer["customer_id"]))
        found += [Lookup(organization_id, "card", track) for track in customer["card_tracks"]]
    return found


def received(simulator: SimulatorProcess, operation: str) -> int:
    operations = simulator.control.calls()["operations"]
    return operations[operation]["received"] if operation in operations else 0


def customers_known(simulator: SimulatorProcess) -> int:
    return simulator.control.organizations()[0]["customers"]


def test_customer_is_the_same_by_phone_id_and_card_and_by_either_transport(
    ask: Ask, simulated: SyrveConfig, lookups: list[Lookup], customers: list[CustomerState]
) -> None:
    results = dict(zip(lookups, ask(simulated, lookups), strict=True))

    assert any(lookup.kind == "card" for lookup in lookups)
    for customer in customers:
        keys = {customer["phone"], customer["customer_id"], *customer["card_tracks"]}
        found = [result for lookup, result in results.items() if lookup.value in keys]
        assert all(each == found[0] for each in found)
        assert isinstance(found[0], Customer)
        assert found[0].customer_id == customer["customer_id"]
        assert {each.wallet_id: each.balance for each in found[0].wallets} == {
            wallet["id"]: Decimal(wallet["balance"]) for wallet in customer["wallets"]
        }


def test_unknown_identity_is_not_found(ask: Ask, simulated: SyrveConfig, organization_id: str) -> None:
    lookups = [
        Lookup(organization_id, "phone", "+79990000000"),
        Lookup(organization_id, "id", str(uuid4())),
        Lookup(organization_id, "card", "no such track"),
    ]

    results = ask(simulated, lookups)

    assert [type(result) for result in results] == [NotFound] * 3


FAULTS: dict[str, dict[str, Any]] = {
    "status 500": {"fault": "status", "status": 500},
    "status 503": {"fault": "status", "status": 503},
    "status 408": {"fault": "status", "status": 408},
    "rate limit": {"fault": "rate_limit", "retry_after_seconds": None},
    "stall": {"fault": "stall", "stall_seconds": 2},
    "reset before": {"fault": "reset_before"},
    "reset after": {"fault": "reset_after"},
    "truncate": {"fault": "truncate"},
    "not JSON": {"fault": "not_json"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_read_survives_a_passing_outage(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup], fault: str
) -> None:
    simulator.control.set_faults([{"operation": "customer_info", "count": 2} | FAULTS[fault]])

    results = ask(replace(simulated, timeout_seconds=0.7), lookups[:6])

    assert all(isinstance(result, Customer) for result in results)
    assert received(simulator, "customer_info") == 6 + 2


@pytest.mark.parametrize("fault", ["status 500", "reset before", "truncate", "not JSON"])
def test_login_survives_a_passing_outage(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup], fault: str
) -> None:
    simulator.control.set_faults([{"operation": "access_token", "count": 2} | FAULTS[fault]])

    results = ask(simulated, lookups[:3])

    assert all(isinstance(result, Customer) for result in results)
    assert received(simulator, "access_token") == 3


def test_lasting_outage_ends_with_its_reason_when_the_deadline_is_over(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults([{"operation": "customer_info", "fault": "status", "status": 503}])
    started = time.monotonic()

    (result,) = ask(replace(simulated, call_deadline_seconds=0.3), lookups[:1])

    assert isinstance(result, ServiceUnavailable)
    assert time.monotonic() - started < 5
    assert received(simulator, "customer_info") > 3


def test_wait_that_the_service_asks_for_is_kept(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults(
        [{"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": 1, "count": 1}]
    )
    started = time.monotonic()

    (result,) = ask(simulated, lookups[:1])

    assert isinstance(result, Customer)
    assert time.monotonic() - started >= 1.0


def test_wait_beyond_the_deadline_is_told_at_once(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults([{"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": 600}])

    (result,) = ask(simulated, lookups[:1])

    assert isinstance(result, RateLimited)
    assert result.wait_seconds == 600
    assert received(simulator, "customer_info") == 1


def test_refusal_for_rate_holds_every_look_up_of_the_batch_back(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults(
        [{"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": 1, "count": 1}]
    )
    started = datetime.now(UTC)

    with BulkLookup(replace(simulated, max_concurrency=2), backoff=IMPATIENT) as bulk:
        results = bulk.look_up(lookups[:30])

    held_back = [each for each in results if each.received_at >= started + timedelta(seconds=1)]
    assert len(held_back) >= 29  # all but the one that was under way beside the refused one
    assert bulk.stats.rate_limited == 1


@pytest.mark.parametrize("fault", ["reset after", "stall", "truncate"])
def test_create_whose_answer_was_lost_is_repeated_and_makes_one_customer(
    simulator: SimulatorProcess, simulated: SyrveConfig, organization_id: str, fault: str
) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "count": 1} | FAULTS[fault]])
    before = customers_known(simulator)
    phone = f"+7999{int(uuid4()) % 10**7:07}"

    with SyrveClient(replace(simulated, timeout_seconds=0.7), backoff=IMPATIENT) as client:
        created = client.create_or_update(organization_id, CustomerChange(phone=phone, name="Дарья"))
        found = client.customer_by_phone(organization_id, phone)

    assert found.customer_id == created
    assert customers_known(simulator) == before + 1
    assert received(simulator, "create_or_update") == 2


def test_expired_token_is_renewed_once_and_nobody_notices(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    tokens: list[str] = []
    with (
        SyrveClient(simulated, on_token=tokens.append) as client,
        BulkLookup(simulated, on_token=tokens.append) as bulk,
    ):
        for _ in range(2):
            client.customer_by_id(lookups[1].organization_id, lookups[1].value)
            assert all(result.customer for result in bulk.look_up(lookups[:20]))
            simulator.control.expire_tokens()

    assert received(simulator, "access_token") == len(set(tokens)) == 4


def test_token_is_renewed_before_it_expires(simulator: SimulatorProcess, simulated: SyrveConfig) -> None:
    now = 0.0
    with SyrveClient(simulated, clock=lambda: now) as client:
        client.organizations()
        now = simulated.token_lifetime_seconds - 1
        client.organizations()

    assert received(simulator, "access_token") == 2
    assert simulator.control.calls()["operations"]["organizations"]["statuses"] == {"200": 2}


def test_steady_401_ends_after_a_few_tokens(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults([{"operation": "customer_info", "fault": "status", "status": 401}])

    (result,) = ask(simulated, lookups[:1])

    assert isinstance(result, AuthenticationFailed)
    tries = MAX_TOKENS_REFUSED_UNUSED
    assert (received(simulator, "customer_info"), received(simulator, "access_token")) == (tries, tries)


def test_wrong_login_is_asked_once_for_the_whole_batch(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    with (
        BulkLookup(replace(simulated, api_login="canary-login")) as bulk,
        pytest.raises(AuthenticationFailed, match="password field") as caught,
    ):
        bulk.look_up(lookups)

    assert "canary" not in str(caught.value)
    assert (received(simulator, "access_token"), received(simulator, "customer_info")) == (1, 0)


def test_missing_right_is_told_by_name_without_asking_for_another_token(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_switches(removed_rights=["customer_info"])

    (result,) = ask(simulated, lookups[:1])

    assert isinstance(result, PermissionDenied)
    assert result.right == "Guests: info"
    assert received(simulator, "access_token") == 1


def test_organization_without_loyalty_says_so(
    ask: Ask, simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup], organization_id: str
) -> None:
    simulator.control.set_switches(organizations_without_loyalty=[organization_id])

    (result,) = ask(simulated, lookups[:1])

    assert isinstance(result, LoyaltyNotConfigured)


def test_record_that_cannot_be_read_concerns_that_look_up_only(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup], organization_id: str
) -> None:
    odd = lookups[0]
    simulator.control.put_raw_answers([RawAnswer(organization_id, odd.value, b'{"id": "canary"}')])

    with BulkLookup(simulated) as bulk:
        results = bulk.look_up(lookups[:5])

    assert isinstance(results[0].error, MalformedAnswer)
    assert str(results[0].error) == "customer_info: id is not a uuid"
    assert results[0].payload == {"id": "canary"}
    assert "canary" not in repr(results[0])
    assert all(result.customer for result in results[1:])


def test_results_keep_the_order_of_the_look_ups_whatever_each_ends_with(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup], organization_id: str
) -> None:
    phones = [each for each in lookups if each.kind == "phone"]
    unreadable = {phones[0], phones[-1]}
    simulator.control.put_raw_answers([RawAnswer(organization_id, each.value, b'{"id": 7}') for each in unreadable])
    unknown = Lookup(organization_id, "id", str(uuid4()))
    asked = [*lookups, unknown, *reversed(lookups)]
    assert len(asked) > 2 * READ_TOGETHER

    with BulkLookup(simulated) as bulk:
        results = bulk.look_up(asked)

    assert [each.lookup for each in results] == asked
    assert {each.lookup for each in results if isinstance(each.error, MalformedAnswer)} == unreadable
    assert [each.lookup for each in results if isinstance(each.error, NotFound)] == [unknown]
    by_id = {each.lookup.value: each.customer for each in results if each.lookup.kind == "id"}
    assert all(each.customer == by_id[each.customer.customer_id] for each in results if each.customer)


def test_empty_batch_calls_nobody(simulator: SimulatorProcess, simulated: SyrveConfig) -> None:
    with BulkLookup(simulated) as bulk:
        assert bulk.look_up([]) == []

    assert simulator.control.calls()["received"] == 0


def test_stats_say_what_the_service_received(
    simulator: SimulatorProcess, simulated: SyrveConfig, lookups: list[Lookup]
) -> None:
    simulator.control.set_faults([{"operation": "customer_info", "fault": "status", "status": 500, "probability": 0.3}])

    with BulkLookup(simulated, backoff=IMPATIENT) as bulk:
        bulk.look_up(lookups)

    calls = simulator.control.calls()
    assert bulk.stats.calls == calls["received"]
    assert bulk.stats.retries == calls["operations"]["customer_info"]["statuses"]["500"]


def test_nobody_listening_is_told_as_no_connection(
    ask: Ask, simulated: SyrveConfig, lookups: list[Lookup], unused_url: str
) -> None:
    (result,) = ask(replace(simulated, base_url=unused_url, call_deadline_seconds=0.2), lookups[:1])

    assert type(result) is NotConnected
    assert result.operation == "access_token"
    assert result.message == "could not connect"
    assert f"at {unused_url}: check the host" in str(result)
