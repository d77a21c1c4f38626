"""Holds of the simulator: named, listed, consumed, expired, refused and struck by faults."""

from typing import Any

from fixtures.simulator_calls import UNKNOWN_ID, assert_refused, balance_of, cancel, hold


def test_two_holds_are_cancelled_apart(either_api: Any, organization_id: Any, new_customer: Any) -> None:
    state = new_customer("100")
    first, _second = (hold(either_api, organization_id, state, sum_) for sum_ in (30, 50))

    cancel(either_api, organization_id, first)

    assert balance_of(either_api, organization_id, state) == 50


def test_unknown_hold_is_refused(either_api: Any, organization_id: Any) -> None:
    assert_refused(cancel(either_api, organization_id, UNKNOWN_ID), "Transaction_TransactionNotFound")


def test_hold_of_another_organization_is_unknown(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    hold_id = hold(either_api, organization_id, new_customer("5"), 5)
    other = either.control.organizations()[1]["organization_id"]

    assert_refused(cancel(either_api, other, hold_id), "Transaction_TransactionNotFound")


def test_second_cancel_is_refused_or_let_pass_by_its_switch(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 60)
    cancel(either_api, organization_id, hold_id)

    assert_refused(cancel(either_api, organization_id, hold_id), "Transaction_AlreadyCancelled")
    either.control.set_switches(second_cancel="ok")
    assert cancel(either_api, organization_id, hold_id).status_code == 200
    assert balance_of(either_api, organization_id, state) == 100


def test_hold_expires_after_its_lifetime_and_gives_the_money_back(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any, wait_for: Any
) -> None:
    state = new_customer("100")
    lasting = hold(either_api, organization_id, state, 10)
    either.control.set_switches(hold_lifetime_seconds=0.3)
    hold_id = hold(either_api, organization_id, state, 60)

    assert balance_of(either_api, organization_id, state) == 30
    wait_for(lambda: balance_of(either_api, organization_id, state) == 90)
    states = {one["transaction_id"]: one["state"] for one in either.control.holds(customer_id=state["customer_id"])}
    assert states == {lasting: "open", hold_id: "expired"}
    assert_refused(cancel(either_api, organization_id, hold_id), "Transaction_AlreadyExpired")


def test_hold_consumed_at_the_till_is_spent_and_its_cancel_follows_the_switch(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 60)

    assert either.control.consume_hold(organization_id, hold_id)["state"] == "consumed"

    assert balance_of(either_api, organization_id, state) == 40
    assert_refused(cancel(either_api, organization_id, hold_id), "Transaction_AlreadyConsumed")
    either.control.set_switches(consumed_cancel="ok")
    assert cancel(either_api, organization_id, hold_id).status_code == 200
    assert balance_of(either_api, organization_id, state) == 40


def test_holds_are_listed_with_everything_known_of_them(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer("100")
    hold_id = hold(either_api, organization_id, state, 12.5, comment="Order 7")

    (record,) = either.control.holds(organization_id=organization_id, customer_id=state["customer_id"])

    assert record.pop("created_at").endswith("+00:00")
    assert record == {
        "transaction_id": hold_id,
        "organization_id": organization_id,
        "customer_id": state["customer_id"],
        "wallet_id": state["wallets"][0]["id"],
        "sum": "12.5",
        "comment": "Order 7",
        "state": "open",
        "ended_at": None,
    }


def test_cloud_lets_the_caller_name_a_hold(cloud_api: Any, organization_id: Any, new_cloud_customer: Any) -> None:
    state = new_cloud_customer("100")
    wanted = "AAAAAAAA-0000-4000-8000-00000000000A"

    assert hold(cloud_api, organization_id, state, 60, transactionId=wanted) == wanted.lower()
    assert cancel(cloud_api, organization_id, wanted).status_code == 200


def test_reference_names_a_hold_itself(api: Any, simulator: Any, organization_id: Any) -> None:
    state = simulator.control.customers_page(organization_id, offset=41, limit=1)[0]
    simulator.control.change_customer(organization_id, state["customer_id"], balances={state["wallets"][0]["id"]: "9"})

    assert hold(api, organization_id, state, 5, transactionId=UNKNOWN_ID) != UNKNOWN_ID


def test_repeated_hold_id_follows_its_switch(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("100")
    hold_id = hold(cloud_api, organization_id, state, 20)

    refused = cloud_api.money("hold", organization_id, state, 20, transactionId=hold_id)
    cloud.control.set_switches(repeated_hold_id="same_answer")
    assert hold(cloud_api, organization_id, state, 20, transactionId=hold_id) == hold_id
    held_once = balance_of(cloud_api, organization_id, state)
    other_sum = cloud_api.money("hold", organization_id, state, 21, transactionId=hold_id)
    cloud.control.set_switches(repeated_hold_id="second_hold")
    assert hold(cloud_api, organization_id, state, 20, transactionId=hold_id) == hold_id

    assert_refused(refused, "Transaction_AlreadyExists")
    assert_refused(other_sum, "Transaction_AlreadyExists")
    assert held_once == 80
    assert balance_of(cloud_api, organization_id, state) == 60


def test_hold_id_that_is_no_uuid_is_400_and_named(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    answer = cloud_api.money("hold", organization_id, new_cloud_customer("5"), 5, transactionId="order 7")

    assert answer.status_code == 400
    assert "transactionId" in answer.json()["errorDescription"]
