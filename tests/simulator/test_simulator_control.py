"""The control path: what it shows and what it turns."""

from decimal import Decimal
from typing import Any

import pytest
import requests

from fixtures.simulator_calls import UNKNOWN_ID
from syrve_simulator.control import RawAnswer, SimulatorRefusedError


def customer_answer(number: Any, **fields: Any) -> Any:
    return {
        "id": f"aaaaaaaa-0000-4000-8000-{number:012d}",
        "name": "Canary",
        "phone": f"+7999333{number:04d}",
        "email": f"canary-{number}@example.com",
        "sex": "Female",
        "walletBalances": [{"id": UNKNOWN_ID, "name": "Bonus", "type": 1, "balance": 12.5}],
        "cards": [{"id": UNKNOWN_ID, "track": f"CANARY{number}", "number": "1", "validToDate": None}],
        "categories": [],
    } | fields


def test_health_says_what_runs(shared_simulator: Any) -> None:
    health = shared_simulator.control.health()

    assert health["status"] == "ok"
    assert (health["dialect"], health["customers"], health["organizations"], health["seed"]) == ("reference", 200, 2, 7)
    assert health["process_id"] == shared_simulator.pid


def test_control_requests_are_not_counted(simulator: Any) -> None:
    simulator.control.organizations()

    assert simulator.control.calls() == {"operations": {}, "received": 0}


def test_lookups_are_counted_by_identity_found_or_not(simulator: Any, api: Any, organization_id: Any) -> None:
    phone = simulator.control.customers_page(organization_id, limit=1)[0]["phone"]
    for _ in range(3):
        api.info(organization_id, phone=phone)
    api.info(organization_id, phone="+79990000000")
    api.info(organization_id, id=UNKNOWN_ID)

    counted = {(one["type"], one["value"]): one["count"] for one in simulator.control.lookups()}

    assert counted == {("phone", phone): 3, ("phone", "+79990000000"): 1, ("id", UNKNOWN_ID): 1}
    assert {one["organization_id"] for one in simulator.control.lookups()} == {organization_id}


def test_refused_lookups_are_not_counted_as_answered(simulator: Any, api: Any, organization_id: Any) -> None:
    api.info(UNKNOWN_ID, phone="+79990000000")
    api.loyalty("customer/info", organization_id, type="phone")
    api.token = "expired"
    api.info(organization_id, phone="+79990000000")

    assert simulator.control.lookups() == []


def test_reset_forgets_calls_and_lookups(simulator: Any, api: Any, organization_id: Any) -> None:
    api.info(organization_id, phone="+79990000000")

    simulator.control.reset_calls()

    assert simulator.control.calls()["received"] == 0
    assert simulator.control.lookups() == []


def test_customers_are_listed_once_each_page_by_page(simulator: Any, organization_id: Any) -> None:
    total = next(
        one["customers"] for one in simulator.control.organizations() if one["organization_id"] == organization_id
    )

    whole = list(simulator.control.customers(organization_id))
    pages = [
        one
        for offset in range(0, total, 7)
        for one in simulator.control.customers_page(organization_id, offset=offset, limit=7)
    ]

    assert len(whole) == total
    assert pages == whole
    assert len({one["customer_id"] for one in whole}) == len({one["phone"] for one in whole}) == total


def test_every_listed_identity_can_be_looked_up(simulator: Any, api: Any, organization_id: Any) -> None:
    for state in simulator.control.customers(organization_id):
        body = api.info(organization_id, phone=state["phone"]).json()
        assert body["id"] == state["customer_id"]
        assert [card["track"] for card in body["cards"]] == state["card_tracks"]
        assert [wallet["id"] for wallet in body["walletBalances"]] == [wallet["id"] for wallet in state["wallets"]]
        for track in state["card_tracks"]:
            assert api.info(organization_id, cardTrack=track).json()["id"] == state["customer_id"]


def test_changed_balance_and_field_are_in_the_next_answer_and_nothing_else_is(
    simulator: Any, api: Any, organization_id: Any
) -> None:
    state = simulator.control.customers_page(organization_id, offset=30, limit=1)[0]
    before = api.info(organization_id, phone=state["phone"]).json()
    wallet_id = before["walletBalances"][0]["id"]

    changed = simulator.control.change_customer(
        organization_id, state["customer_id"], balances={wallet_id: Decimal("99.90")}, fields={"surname": None}
    )

    after = api.info(organization_id, phone=state["phone"])
    assert changed["wallets"][0] == {"id": wallet_id, "balance": "99.90"}
    assert '"balance":99.90}' in after.text
    before["walletBalances"][0]["balance"] = 99.9
    assert after.json() == before | {"surname": None}


def test_changed_phone_moves_the_customer_to_it(simulator: Any, api: Any, organization_id: Any) -> None:
    state = simulator.control.customers_page(organization_id, offset=31, limit=1)[0]

    simulator.control.change_customer(organization_id, state["customer_id"], fields={"phone": "+79993330999"})

    assert api.info(organization_id, phone=state["phone"]).status_code == 400
    assert api.info(organization_id, phone="+79993330999").json()["id"] == state["customer_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"wallets": {UNKNOWN_ID: "1"}},
        {"wallets": {"first": "abc"}},
        {"wallets": {"first": "NaN"}},
        {"wallets": {"first": True}},
        {"wallets": []},
        {"fields": {"sex": "male"}},
        {"fields": {"walletBalances": [{"id": "x"}]}},
        {"fields": {"cards": 5}},
        {"fields": {"id": UNKNOWN_ID}},
        {"surname": "X"},
    ],
)
def test_change_that_cannot_be_made_is_refused_and_changes_nothing(
    simulator: Any, api: Any, organization_id: Any, change: Any
) -> None:
    state = simulator.control.customers_page(organization_id, offset=32, limit=1)[0]
    before = api.info(organization_id, phone=state["phone"]).content
    if "first" in change.get("wallets", {}):
        change = {"fields": {"name": "Changed"}, "wallets": {state["wallets"][0]["id"]: change["wallets"]["first"]}}

    answer = requests.patch(
        f"{simulator.url}/_control/customers/{organization_id}/{state['customer_id']}", json=change, timeout=5
    )

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert api.info(organization_id, phone=state["phone"]).content == before


def test_added_customer_is_found_by_phone_id_and_card_with_every_field(
    simulator: Any, api: Any, organization_id: Any
) -> None:
    answer = customer_answer(1, futureField={"kept": [1, 2]})

    state = simulator.control.add_customer(organization_id, answer)

    by_phone = api.info(organization_id, phone="+79993330001").json()
    assert state["customer_id"] == answer["id"]
    assert {key: by_phone[key] for key in answer} == answer
    assert api.info(organization_id, id=answer["id"]).json() == by_phone
    assert api.info(organization_id, cardTrack="CANARY1").json() == by_phone
    assert answer["id"] in {one["customer_id"] for one in simulator.control.customers(organization_id)}


def test_customer_with_a_taken_identity_cannot_be_added(simulator: Any, organization_id: Any) -> None:
    simulator.control.add_customer(organization_id, customer_answer(2))

    with pytest.raises(SimulatorRefusedError, match="belongs to another customer"):
        simulator.control.add_customer(organization_id, customer_answer(3, phone="+79993330002"))


def test_removed_customer_is_not_found_by_any_identity_nor_listed(
    simulator: Any, api: Any, organization_id: Any
) -> None:
    state = simulator.control.customers_page(organization_id, offset=33, limit=1)[0]

    simulator.control.remove_customer(organization_id, state["customer_id"])

    assert api.info(organization_id, id=state["customer_id"]).status_code == 400
    assert api.info(organization_id, phone=state["phone"]).status_code == 400
    listed = list(simulator.control.customers(organization_id))
    assert state["customer_id"] not in {one["customer_id"] for one in listed}
    with pytest.raises(SimulatorRefusedError) as refusal:
        simulator.control.remove_customer(organization_id, state["customer_id"])
    assert refusal.value.status == 404


def test_prepared_answer_is_sent_byte_for_byte_to_that_identity_alone(
    simulator: Any, api: Any, organization_id: Any
) -> None:
    states = simulator.control.customers_page(organization_id, limit=2)
    bytes_of_no_encoding = b'{"id": "\xff\x00\\ud800", "balance": NaN'
    simulator.control.put_raw_answers(
        [
            RawAnswer(organization_id, states[0]["phone"], bytes_of_no_encoding),
            RawAnswer(organization_id, UNKNOWN_ID, b"", 418),
        ]
    )

    prepared = api.info(organization_id, phone=states[0]["phone"])

    assert (prepared.status_code, prepared.content) == (200, bytes_of_no_encoding)
    assert api.info(organization_id, id=UNKNOWN_ID).status_code == 418
    assert api.info(organization_id, phone=states[1]["phone"]).json()["id"] == states[1]["customer_id"]
    simulator.control.clear_raw_answers()
    assert api.info(organization_id, phone=states[0]["phone"]).json()["id"] == states[0]["customer_id"]


def test_coupons_can_have_prepared_answers_too(simulator: Any, api: Any, organization_id: Any) -> None:
    simulator.control.put_raw_answers([RawAnswer(organization_id, "ODD", b"[]", operation="coupon_info")])

    assert api.loyalty("coupons/info", organization_id, number="ODD").content == b"[]"


def test_listed_coupon_series_replace_the_former(simulator: Any, api: Any) -> None:
    organization_id = simulator.control.organizations()[1]["organization_id"]
    series = {"id": UNKNOWN_ID, "name": "Only one", "isActivated": True, "discountType": "Fixed", "discountValue": 0.1}

    simulator.control.put_coupon_series(organization_id, [series])

    answer = api.post("loyalty/iiko/coupons/series", {"organizationIds": [organization_id]}).json()
    assert answer["couponSeries"][0]["items"] == [series]
    with pytest.raises(SimulatorRefusedError, match="discountValue"):
        simulator.control.put_coupon_series(organization_id, [{**series, "discountValue": "a lot"}, series | {"id": 1}])


def test_switches_are_changed_one_by_one(simulator: Any) -> None:
    simulator.control.set_switches(latency_ms=1)

    switches = simulator.control.set_switches(removed_rights=["coupon_info"])

    assert switches["latency_ms"] == 1
    assert switches["removed_rights"] == ["coupon_info"]
    assert simulator.control.switches() == switches


@pytest.mark.parametrize(
    "switches",
    [
        {"removed_rights": ["customer_infos"]},
        {"organizations_without_loyalty": [UNKNOWN_ID]},
        {"token_lifetime_seconds": 0},
        {"latency_ms": -1},
        {"no_such_switch": 1},
    ],
)
def test_wrong_switch_is_refused_by_name_and_nothing_is_switched(simulator: Any, switches: Any) -> None:
    before = simulator.control.switches()

    answer = requests.put(f"{simulator.url}/_control/switches", json={"latency_ms": 50} | switches, timeout=5)

    assert answer.status_code == 400
    assert next(iter(switches)) in answer.json()["error"]
    assert simulator.control.switches() == before


def test_expired_tokens_are_refused_until_a_new_one_is_got(simulator: Any, api: Any) -> None:
    assert simulator.control.expire_tokens() >= 1

    assert api.post("organizations", {}).status_code == 401
    api.sign_in()
    assert api.post("organizations", {}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "", 404),
        ("POST", "health", 405),
        ("GET", "customers", 404),
        ("GET", f"customers?organization_id={UNKNOWN_ID}", 404),
        ("PATCH", f"customers/{UNKNOWN_ID}/{UNKNOWN_ID}", 404),
        ("PUT", "switches", 400),
        ("PUT", "raw_answers", 400),
        ("PUT", "faults", 400),
    ],
)
def test_wrong_control_request_is_refused_with_an_explanation(
    simulator: Any, method: Any, path: Any, status: Any
) -> None:
    answer = requests.request(method, f"{simulator.url}/_control/{path}", data=b"{", timeout=5)

    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=10001", "offset=a"])
def test_wrong_page_is_refused(simulator: Any, organization_id: Any, query: Any) -> None:
    answer = requests.get(f"{simulator.url}/_control/customers?organization_id={organization_id}&{query}", timeout=5)

    assert answer.status_code == 400
