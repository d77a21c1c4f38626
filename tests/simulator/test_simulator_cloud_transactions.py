"""Transactions of the cloud dialect: what they tell, pages by date and by revision, and the switches about them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.simulator_calls import UNKNOWN_ID

FIELDS = {
    "id", "revision", "organizationId", "type", "typeName", "sum", "balanceBefore", "balanceAfter", "posBalanceBefore", "walletId",
    "programId", "marketingCampaignId", "comment", "apiClientLogin", "loyaltyUser", "whenCreated", "whenCreatedOrder", "orderNumber",
    "orderSum", "posOrderId", "terminalGroupId", "isDelivery", "isIgnored", "blockReason", "nominal", "counteragent",
    "counteragentType", "counteragentTypeName", "emitentName", "certificate", "coupon",
}  # fmt: skip


def wire(moment: Any) -> Any:
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def by_date(api: Any, organization_id: Any, customer_id: Any, **changes: Any) -> Any:
    now = datetime.now(UTC)
    body = {
        "customerId": customer_id,
        "dateFrom": wire(now - timedelta(hours=1)),
        "dateTo": wire(now + timedelta(hours=1)),
        "pageNumber": 0,
        "pageSize": 100,
    } | changes
    return api.loyalty("customer/transactions/by_date", organization_id, **body)


def by_revision(api: Any, organization_id: Any, customer_id: Any, **body: Any) -> Any:
    body = {"customerId": customer_id, "pageSize": 100} | body
    return api.loyalty("customer/transactions/by_revision", organization_id, **body)


def ids(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["transactions"]]


@pytest.fixture
def busy(cloud_api: Any, organization_id: Any, new_cloud_customer: Any) -> Any:
    """A customer with seven transactions."""
    state = new_cloud_customer("100")
    for number in range(7):
        cloud_api.money("topup", organization_id, state, 1, comment=f"n{number}")
    return state["customer_id"]


def test_each_kind_of_movement_is_told_with_its_balances(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("100")
    hold_id = "aaaaaaaa-0000-4000-8000-0000000000aa"
    cloud_api.money("topup", organization_id, state, 10.5, comment="bonus")
    cloud_api.money("chargeoff", organization_id, state, 0.5)
    cloud_api.money("hold", organization_id, state, 60, transactionId=hold_id, comment="Order 7")
    cloud_api.loyalty("customer/wallet/cancel_hold", organization_id, transactionId=hold_id)

    items = by_date(cloud_api, organization_id, state["customer_id"]).json()["transactions"]

    told = [(one["typeName"], one["sum"], one["balanceBefore"], one["balanceAfter"], one["comment"]) for one in items]
    assert told == [
        ("RefillWalletFromApi", 10.5, 100, 110.5, "bonus"),
        ("WithdrawWalletFromApi", -0.5, 110.5, 110, None),
        ("HoldMoney", -60, 110, 50, "Order 7"),
        ("CancelHoldMoney", 60, 50, 110, "Order 7"),
    ]
    assert all(set(one) == FIELDS for one in items)
    assert [one["type"] for one in items] == [30, 32, 36, 37]
    assert items[2]["id"] == hold_id
    assert {one["walletId"] for one in items} == {state["wallets"][0]["id"]}
    assert {one["apiClientLogin"] for one in items} == {"Simulated integration"}
    revisions = [one["revision"] for one in items]
    assert revisions == sorted(set(revisions))


def test_hold_that_balances_show_changes_no_balance_in_transactions(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    cloud.control.set_switches(
        balance_shows_held_money=True, transaction_sums="absolute", hold_id_is_transaction_id=False
    )
    state = new_cloud_customer("100")
    hold_id = cloud_api.money("hold", organization_id, state, 60).json()["transactionId"]
    cloud.control.consume_hold(organization_id, hold_id)

    held, paid = by_date(cloud_api, organization_id, state["customer_id"]).json()["transactions"]

    assert (held["sum"], held["balanceBefore"], held["balanceAfter"]) == (60, 100, 100)
    assert held["id"] != hold_id
    assert (paid["typeName"], paid["sum"], paid["balanceBefore"], paid["balanceAfter"]) == (
        "PayFromWallet",
        60,
        100,
        40,
    )
    assert paid["apiClientLogin"] is None


@pytest.mark.parametrize(("type_code", "told"), [(41, [41, 37]), (None, [])])
def test_type_of_a_hold_follows_its_switch(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any, type_code: Any, told: Any
) -> None:
    cloud.control.set_switches(hold_transaction_type=type_code)
    state = new_cloud_customer("100")

    hold_id = cloud_api.money("hold", organization_id, state, 60).json()["transactionId"]
    cloud_api.loyalty("customer/wallet/cancel_hold", organization_id, transactionId=hold_id)

    items = by_date(cloud_api, organization_id, state["customer_id"]).json()["transactions"]
    assert [one["type"] for one in items] == told


def test_expired_hold_is_told_without_a_client(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any, wait_for: Any
) -> None:
    cloud.control.set_switches(hold_lifetime_seconds=0.05)
    state = new_cloud_customer("100")
    cloud_api.money("hold", organization_id, state, 60)

    wait_for(lambda: len(ids(by_date(cloud_api, organization_id, state["customer_id"]))) == 2)

    over = by_date(cloud_api, organization_id, state["customer_id"]).json()["transactions"][1]
    assert (over["typeName"], over["sum"], over["apiClientLogin"]) == ("CancelHoldMoney", 60, None)


def test_order_at_the_till_is_told_with_its_number(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("100")
    cloud.control.add_transaction(
        organization_id, state["customer_id"], state["wallets"][0]["id"], "-30", order_number=7, order_sum="60.50"
    )

    (item,) = by_date(cloud_api, organization_id, state["customer_id"]).json()["transactions"]

    assert (item["type"], item["orderNumber"], item["orderSum"]) == (8, 7, 60.5)
    assert item["posOrderId"]
    assert item["whenCreatedOrder"] == item["whenCreated"]


def test_pages_by_date_hold_every_transaction_once(cloud_api: Any, organization_id: Any, busy: Any) -> None:
    whole = ids(by_date(cloud_api, organization_id, busy))
    pages = [by_date(cloud_api, organization_id, busy, pageNumber=number, pageSize=3) for number in range(4)]

    assert len(whole) == 7
    assert [len(ids(page)) for page in pages] == [3, 3, 1, 0]
    assert [one for page in pages for one in ids(page)] == whole
    assert {key: value for key, value in pages[1].json().items() if key != "transactions"} == {
        "pageSize": 3,
        "pageNumber": 1,
    }


def test_both_ends_of_the_dates_are_included_and_nothing_beyond(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("100")
    cloud_api.money("topup", organization_id, state, 1)
    customer_id = state["customer_id"]
    (item,) = by_date(cloud_api, organization_id, customer_id).json()["transactions"]
    moment = datetime.fromisoformat(item["whenCreated"])
    before, after = (moment + timedelta(milliseconds=step) for step in (-1, 1))

    assert ids(by_date(cloud_api, organization_id, customer_id, dateFrom=wire(moment), dateTo=wire(moment)))
    assert ids(by_date(cloud_api, organization_id, customer_id, dateFrom=wire(after))) == []
    assert ids(by_date(cloud_api, organization_id, customer_id, dateTo=wire(before))) == []
    with_offset = (moment + timedelta(hours=3)).isoformat() + "+03:00"
    assert ids(by_date(cloud_api, organization_id, customer_id, dateFrom=with_offset, dateTo=with_offset))


def test_pages_by_revision_hold_every_transaction_once(cloud_api: Any, organization_id: Any, busy: Any) -> None:
    collected, body = [], {"pageSize": 3}
    while True:
        answer = by_revision(cloud_api, organization_id, busy, **body).json()
        if not answer["transactions"]:
            break
        collected += [one["id"] for one in answer["transactions"]]
        assert answer["lastRevision"] == answer["transactions"][-1]["revision"]
        body |= {"revision": answer["lastRevision"], "lastTransactionId": answer["lastTransactionId"]}

    assert collected == ids(by_revision(cloud_api, organization_id, busy))
    assert len(collected) == 7
    assert (answer["lastRevision"], answer["lastTransactionId"]) == (body["revision"], body["lastTransactionId"])


def test_revision_itself_is_left_out_unless_a_last_transaction_is_named(
    cloud_api: Any, organization_id: Any, busy: Any
) -> None:
    items = by_revision(cloud_api, organization_id, busy).json()["transactions"]
    third = items[2]

    alone = ids(by_revision(cloud_api, organization_id, busy, revision=third["revision"]))
    beside = ids(
        by_revision(cloud_api, organization_id, busy, revision=third["revision"], lastTransactionId=items[0]["id"])
    )

    assert alone == [one["id"] for one in items[3:]]
    assert beside == [one["id"] for one in items[2:]]


def test_unknown_customer_has_an_empty_list(cloud_api: Any, organization_id: Any) -> None:
    assert ids(by_date(cloud_api, organization_id, UNKNOWN_ID)) == []
    answer = by_revision(cloud_api, organization_id, UNKNOWN_ID).json()
    assert answer == {"transactions": [], "lastRevision": 0, "lastTransactionId": None, "pageSize": 100}


def test_order_follows_its_switch_and_pages_by_revision_stay_the_same_set(
    cloud: Any, cloud_api: Any, organization_id: Any, busy: Any
) -> None:
    ascending = ids(by_date(cloud_api, organization_id, busy))
    cloud.control.set_switches(transactions_order="descending")
    descending = ids(by_date(cloud_api, organization_id, busy))
    page = by_revision(cloud_api, organization_id, busy, pageSize=3).json()
    cloud.control.set_switches(transactions_order="none")
    without = ids(by_date(cloud_api, organization_id, busy))

    assert descending == ascending[::-1]
    assert [one["id"] for one in page["transactions"]] == ascending[2::-1]
    assert page["lastTransactionId"] == ascending[2]
    assert without == sorted(ascending)


def test_page_is_no_larger_than_the_service_allows(cloud: Any, cloud_api: Any, organization_id: Any, busy: Any) -> None:
    cloud.control.set_switches(max_page_size=2)

    for answer in (by_date(cloud_api, organization_id, busy), by_revision(cloud_api, organization_id, busy)):
        assert len(ids(answer)) == answer.json()["pageSize"] == 2


def test_row_that_is_committed_late_appears_below_a_revision_already_read(
    cloud: Any, cloud_api: Any, organization_id: Any, new_cloud_customer: Any, wait_for: Any
) -> None:
    state = new_cloud_customer()
    cloud.control.set_switches(transaction_delay_seconds=0.5)
    cloud_api.money("topup", organization_id, state, 1)
    cloud.control.set_switches(transaction_delay_seconds=0)
    cloud_api.money("topup", organization_id, state, 2)

    (read,) = by_revision(cloud_api, organization_id, state["customer_id"]).json()["transactions"]

    assert read["sum"] == 2
    assert len(cloud.control.transactions(customer_id=state["customer_id"])) == 2
    wait_for(lambda: len(ids(by_revision(cloud_api, organization_id, state["customer_id"]))) == 2)
    assert ids(by_revision(cloud_api, organization_id, state["customer_id"], revision=read["revision"])) == []


@pytest.mark.parametrize("field", ["customerId", "dateFrom", "dateTo", "pageNumber", "pageSize"])
def test_missing_field_is_400_and_named(cloud_api: Any, organization_id: Any, busy: Any, field: Any) -> None:
    answer = by_date(cloud_api, organization_id, busy, **{field: None})

    assert answer.status_code == 400
    assert field in answer.json()["errorDescription"]


@pytest.mark.parametrize("time", ["yesterday", "2026-02-30 00:00:00.000", "0001-01-01T00:00:00+14:00"])
def test_time_that_cannot_be_read_is_400_and_named(cloud_api: Any, organization_id: Any, busy: Any, time: Any) -> None:
    answer = by_date(cloud_api, organization_id, busy, dateFrom=time)

    assert answer.status_code == 400
    assert "dateFrom" in answer.json()["errorDescription"]


@pytest.mark.parametrize(
    ("body", "named"),
    [({"pageSize": None}, "pageSize"), ({"lastTransactionId": UNKNOWN_ID}, "revision"), ({"revision": -1}, "revision")],
)
def test_wrong_request_by_revision_is_400_and_named(
    cloud_api: Any, organization_id: Any, busy: Any, body: Any, named: Any
) -> None:
    answer = by_revision(cloud_api, organization_id, busy, **body)

    assert answer.status_code == 400
    assert named in answer.json()["errorDescription"]
