"""Wallets in both dialects: what moves, what is held, what is refused, and each switch about it."""

from decimal import Decimal
from typing import Any

import pytest
import requests

from fixtures.simulator_calls import UNKNOWN_ID, assert_refused, balance_of, cancel, hold


def test_topup_and_chargeoff_move_the_balance_to_the_digit(
    either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("0.30")

    assert either_api.money("topup", organization_id, state, 1000.05).status_code == 200
    assert either_api.money("chargeoff", organization_id, state, 0.35).status_code == 200

    text = either_api.info(organization_id, id=state["customer_id"]).text
    assert '"balance":1000.00}' in text


def test_answers_have_an_operation_id_in_reference_alone(
    either_api: Any, organization_id: Any, new_customer: Any, dialect: Any
) -> None:
    state = new_customer("10")
    envelope = {"correlationId"} if dialect == "reference" else set()

    held = either_api.money("hold", organization_id, state, 1).json()

    assert set(held) == {"transactionId"} | envelope
    for answer in (
        cancel(either_api, organization_id, held["transactionId"]),
        either_api.money("topup", organization_id, state, 1),
        either_api.money("chargeoff", organization_id, state, 1),
    ):
        assert set(answer.json()) == envelope


def test_held_money_is_not_shown_nor_spent_nor_held_again_until_it_is_given_back(
    either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 60)

    assert balance_of(either_api, organization_id, state) == 40
    assert_refused(either_api.money("chargeoff", organization_id, state, 41), "Wallet_NotEnoughMoney")
    assert_refused(either_api.money("hold", organization_id, state, 41), "Wallet_NotEnoughMoney")
    assert cancel(either_api, organization_id, hold_id).status_code == 200
    assert balance_of(either_api, organization_id, state) == 100
    assert either_api.money("chargeoff", organization_id, state, 100).status_code == 200


def test_chargeoff_does_not_release_a_hold_of_the_same_sum(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 40)

    either_api.money("chargeoff", organization_id, state, 40)

    assert balance_of(either_api, organization_id, state) == 20
    (open_hold,) = either.control.holds(state="open", customer_id=state["customer_id"])
    assert open_hold["transaction_id"] == hold_id


def test_balance_can_show_held_money(either: Any, either_api: Any, organization_id: Any, new_customer: Any) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 60)
    assert balance_of(either_api, organization_id, state) == 40

    either.control.set_switches(balance_shows_held_money=True)

    assert balance_of(either_api, organization_id, state) == 100
    assert_refused(either_api.money("chargeoff", organization_id, state, 41), "Wallet_NotEnoughMoney")
    cancel(either_api, organization_id, hold_id)
    assert balance_of(either_api, organization_id, state) == 100


@pytest.mark.parametrize("path", ["hold", "topup", "chargeoff"])
@pytest.mark.parametrize(
    ("changes", "error_code"),
    [
        ({"walletId": UNKNOWN_ID}, "Wallet_WalletNotFound"),
        ({"customerId": UNKNOWN_ID}, "Customer_CustomerNotFound"),
        ({"sum": 0}, "Validation_IncorrectSum"),
        ({"sum": -5.5}, "Validation_IncorrectSum"),
        ({"organizationId": UNKNOWN_ID}, "Common_OrganizationNotFound"),
    ],
)
def test_money_call_that_cannot_be_carried_out_is_400_in_the_loyalty_shape(
    either_api: Any, organization_id: Any, new_customer: Any, path: Any, changes: Any, error_code: Any
) -> None:
    state = new_customer("100")
    body = {
        "organizationId": organization_id,
        "customerId": state["customer_id"],
        "walletId": state["wallets"][0]["id"],
        "sum": 5,
    } | changes

    assert_refused(either_api.post(f"loyalty/iiko/customer/wallet/{path}", body), error_code)
    assert balance_of(either_api, organization_id, state) == 100


@pytest.mark.parametrize("sum_", ["5", None, True, []])
def test_sum_that_is_no_number_is_400_and_named(
    either_api: Any, organization_id: Any, new_customer: Any, sum_: Any
) -> None:
    answer = either_api.money("topup", organization_id, new_customer(), sum_)

    assert answer.status_code == 400
    assert "'sum'" in answer.json()["errorDescription"]


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        ({"fault": "status", "status": 503}, False),
        ({"fault": "status", "status": 500, "applied": True}, True),
        ({"fault": "rate_limit"}, False),
        ({"fault": "reset_before"}, False),
        ({"fault": "reset_after"}, True),
        ({"fault": "truncate"}, True),
        ({"fault": "not_json"}, False),
        ({"fault": "not_json", "applied": True}, True),
        ({"fault": "stall", "stall_seconds": 30}, True),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
@pytest.mark.parametrize(
    ("path", "operation", "after"),
    [("topup", "wallet_topup", 107), ("chargeoff", "wallet_chargeoff", 93), ("hold", "wallet_hold", 93)],
)
def test_every_fault_strikes_money_calls_and_shows_how_often_they_came(
    either: Any,
    either_api: Any,
    organization_id: Any,
    new_customer: Any,
    path: Any,
    operation: Any,
    after: Any,
    fault: Any,
    applied: Any,
) -> None:
    state = new_customer("100")
    before = len(either.control.transactions(customer_id=state["customer_id"]))
    either.control.set_faults([{"operation": operation, "count": 1} | fault])

    try:
        answer = either_api.money(path, organization_id, state, 7, timeout=0.3)
        told = answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/json")
    except requests.RequestException:
        told = False

    assert not told
    calls = either.control.calls()["operations"][operation]
    assert calls["received"] == 1
    assert sum(calls["faults"].values()) == 1
    moved = len(either.control.transactions(customer_id=state["customer_id"])) - before
    assert moved == (1 if applied else 0)
    assert balance_of(either_api, organization_id, state) == (after if applied else 100)


@pytest.mark.parametrize(("path", "after"), [("topup", 114), ("chargeoff", 86)])
def test_call_that_is_carried_out_twice_is_answered_once(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any, path: str, after: int
) -> None:
    state = new_customer("100")
    either.control.set_faults([{"operation": f"wallet_{path}", "fault": "twice", "count": 1}])

    assert either_api.money(path, organization_id, state, 7).status_code == 200

    assert either.control.calls()["operations"][f"wallet_{path}"]["received"] == 1
    assert balance_of(either_api, organization_id, state) == after


def test_fault_on_cancel_hold_after_applying_leaves_the_money_free(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 60)
    either.control.set_faults([{"operation": "wallet_cancel_hold", "fault": "reset_after", "count": 1}])

    with pytest.raises(requests.ConnectionError):
        cancel(either_api, organization_id, hold_id)

    assert balance_of(either_api, organization_id, state) == 100
    assert either.control.calls()["operations"]["wallet_cancel_hold"]["received"] == 1


def test_right_taken_away_is_named_for_money_calls_too(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    either.control.set_switches(removed_rights=["wallet_hold"])

    answer = either_api.money("hold", organization_id, state, 5)

    assert answer.status_code == 401
    assert answer.json() == "Right api/1/loyalty/iiko/customer/wallet/hold is not allowed for this ApiLogin"


def test_transaction_made_elsewhere_moves_the_balance_and_is_listed(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")

    made = either.control.add_transaction(
        organization_id,
        state["customer_id"],
        state["wallets"][0]["id"],
        Decimal("-30.25"),
        order_number=7,
        order_sum="60.50",
    )

    assert (made["type_name"], made["sum"], made["balance_before"], made["balance_after"]) == (
        "PayFromWallet", "-30.25", "100", "69.75",
    )  # fmt: skip
    assert either.control.transactions(customer_id=state["customer_id"]) == [made]
    assert balance_of(either_api, organization_id, state) == 69.75
