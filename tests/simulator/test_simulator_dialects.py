"""What is in which dialect, and what the two have in common: the people."""

import json
from typing import Any

import pytest
import requests

from syrve_simulator.behaviour import Behaviour
from syrve_simulator.control import SimulatorRefusedError, Switches
from syrve_simulator.population import Population
from syrve_simulator.wire import DIALECTS

BOTH = {
    "access_token", "organizations", "customer_info", "create_or_update", "program_add", "card_add", "card_remove", "category_add",
    "wallet_hold", "wallet_cancel_hold", "wallet_topup", "wallet_chargeoff", "coupon_info", "coupon_series",
}  # fmt: skip
CLOUD_ALONE = {
    "access_token_v2", "delete_customers", "restore_customers", "category_remove", "category_list", "program_list", "coupons_by_series",
    "transactions_by_date", "transactions_by_revision", "orders_by_revision", "orders_by_date", "webhook_settings", "webhook_update",
}  # fmt: skip


def operations(name: Any) -> Any:
    return {operation.name: operation.paths for operation in DIALECTS[name].operations}


def test_each_dialect_has_its_operations() -> None:
    assert set(operations("reference")) == BOTH
    assert set(operations("cloud")) == BOTH | CLOUD_ALONE


def test_every_loyalty_operation_answers_under_both_brands() -> None:
    for name in DIALECTS:
        for paths in operations(name).values():
            if "loyalty" in paths[0]:
                assert paths[1] == paths[0].replace("/iiko/", "/syrve/")


@pytest.mark.parametrize(("here", "there"), [("reference", "cloud"), ("cloud", "reference")])
def test_operation_of_the_other_dialect_is_404(request: pytest.FixtureRequest, here: Any, there: Any) -> None:
    simulator = request.getfixturevalue("cloud" if here == "cloud" else "simulator")
    client = request.getfixturevalue("cloud_api" if here == "cloud" else "api")
    ours = {path for paths in operations(here).values() for path in paths}
    foreign = [path for paths in operations(there).values() for path in paths if path not in ours]

    assert foreign
    for path in foreign:
        answer = requests.post(
            f"{simulator.url}{path}", json={}, headers={"Authorization": f"Bearer {client.token}"}, timeout=5
        )
        assert answer.status_code == 404, path
    assert simulator.control.calls()["operations"]["unknown"]["received"] == len(foreign)


@pytest.mark.parametrize(
    "path",
    [
        path.removeprefix("/api/1/loyalty/iiko/")
        for paths in operations("cloud").values()
        for path in paths
        if "/loyalty/iiko/" in path
    ],
)
def test_every_loyalty_call_needs_a_token_an_organization_and_loyalty_there(
    cloud: Any, cloud_api: Any, organization_id: Any, path: Any
) -> None:
    cloud.control.set_switches(organizations_without_loyalty=[organization_id])

    without_organization = cloud_api.post(f"loyalty/iiko/{path}", {})
    without_loyalty = cloud_api.loyalty(path, organization_id)
    cloud_api.token = "never-issued"

    assert without_organization.status_code == 400
    assert "organizationId" in without_organization.json()["errorDescription"]
    assert without_loyalty.status_code == 400
    assert without_loyalty.json()["code"] == "Transport_WrongCrmId"
    assert cloud_api.loyalty(path, organization_id).status_code == 401


def test_the_same_people_live_in_both_dialects() -> None:
    words = {0: "NotSpecified", 1: "Male", 2: "Female"}
    for with_history in (True, False):
        population = Population(seed=7, customers=50, organizations=2, with_history=with_history)
        for organization in population.organizations:
            for ordinal in population.members(organization, 0, 50):
                customer = population.customer(ordinal, organization)
                theirs, ours = (json.loads(DIALECTS[name].encode_customer(customer)) for name in ("cloud", "reference"))
                for field in ("id", "phone", "name", "surname", "middleName", "email", "referrerId", "walletBalances"):
                    assert theirs[field] == ours[field]
                assert words[theirs["sex"]] == ours["sex"]
                assert (theirs["birthday"] or "")[:10] == (ours["birthday"] or "")
                assert [one["track"] for one in theirs["cards"]] == [one["track"] for one in ours["cards"]]


def test_history_changes_nothing_that_reference_tells() -> None:
    def answers(*, with_history: Any) -> Any:
        population = Population(seed=7, customers=100, organizations=2, with_history=with_history)
        organization = population.organizations[0]
        encode = DIALECTS["reference"].encode_customer
        return [encode(population.customer(one, organization)) for one in population.members(organization, 0, 100)]

    assert answers(with_history=True) == answers(with_history=False)


def test_every_switch_of_the_simulator_is_typed_for_its_users(simulator: Any) -> None:
    assert set(simulator.control.switches()) == set(Switches.__annotations__)
    assert set(Behaviour.__struct_fields__) < set(Switches.__annotations__)


def test_reset_puts_every_switch_back(simulator: Any) -> None:
    before = simulator.control.switches()
    simulator.control.set_switches(latency_ms=1, hold_lifetime_seconds=5, unknown_coupon="error", max_page_size=None)

    assert simulator.control.switches() != before
    assert simulator.control.reset_switches() == before == simulator.control.switches()


def test_switch_of_the_open_questions_is_refused_by_name_with_all_the_others(simulator: Any) -> None:
    before = simulator.control.switches()

    for wrong in ({"second_cancel": "maybe"}, {"hold_lifetime_seconds": 0}, {"max_page_size": 0}):
        with pytest.raises(SimulatorRefusedError, match=next(iter(wrong))):
            simulator.control.set_switches(latency_ms=50, **wrong)

    assert simulator.control.switches() == before


def test_requests_are_recorded_with_their_bodies_and_without_secrets(
    cloud: Any, cloud_api: Any, organization_id: Any
) -> None:
    cloud_api.sign_in()
    cloud_api.info(organization_id, phone="+79990000000")
    cloud.control.set_faults([{"operation": "customer_info", "fault": "status"}])
    cloud_api.info(organization_id, id="x")
    cloud_api.post("loyalty/syrve/customer/info", b"{")
    cloud_api.post("organizations", {})

    recorded = cloud.control.recorded_requests()

    assert [(one["operation"], one["path"].rpartition("/loyalty/")[2]) for one in recorded] == [
        ("customer_info", "iiko/customer/info"),
        ("customer_info", "iiko/customer/info"),
        ("customer_info", "syrve/customer/info"),
        ("organizations", "/api/1/organizations"),
    ]
    assert recorded[0]["body"] == {"organizationId": organization_id, "type": "phone", "phone": "+79990000000"}
    assert recorded[2]["body"] is None
    assert cloud.control.recorded_requests("organizations") == recorded[3:]
    cloud.control.reset_calls()
    assert cloud.control.recorded_requests() == []


def test_requests_are_not_recorded_unless_asked_for(simulator: Any, api: Any) -> None:
    api.post("organizations", {})

    with pytest.raises(RuntimeError, match="--record-requests"):
        simulator.control.recorded_requests()
