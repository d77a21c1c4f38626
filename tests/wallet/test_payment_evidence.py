"""What is believed about a payment's outcome: late records, clocks that are behind, persons, and other organizations."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from fixtures.payments import lost, take, till_row
from fixtures.wallets import Purse
from syrve.warehouse.errors import WarehouseError


@pytest.mark.parametrize("behind", [2, 90, 300])
def test_till_whose_clock_is_behind_makes_the_balance_no_evidence(reference_purse: Purse, behind: int) -> None:
    purse = reference_purse
    operation_id = lost(purse, "chargeoff", "reset_before")
    purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "-30")
    take(purse, till_row(purse, "chargeoff", datetime.now(UTC) - timedelta(seconds=behind), key="r1"))

    assert purse.settler().settle(operation_id).operation.state == "unknown"


def test_wallet_moved_through_another_organization_is_seen(reference_purse: Purse) -> None:
    purse = reference_purse
    operation_id = lost(purse, "chargeoff", "reset_before")
    other = purse.operation("chargeoff", "30.00", organization_id=str(uuid4()))
    purse.ledger.observe(other, "confirmed", {"reason": "reported"})
    purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "-30")

    assert purse.settler().settle(operation_id).operation.state == "unknown"


def test_end_of_a_hold_reported_without_customer_is_seen(reference_purse: Purse) -> None:
    purse = reference_purse
    hold = purse.do("hold", "30.00")
    operation_id = lost(purse, "topup", "reset_before")
    purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "30")
    take(purse, {"record": "cancel_hold", "occurred_at": datetime.now(UTC).isoformat(), "hold_id": hold.operation_id})

    assert purse.value("select closed_by from wallet.hold") == "cancelled"
    assert purse.settler().settle(operation_id).operation.state == "unknown"


def test_outcome_by_balance_is_reopened_by_a_later_record(reference_purse: Purse) -> None:
    purse = reference_purse
    operation_id = lost(purse, "chargeoff", "reset_before")
    purse.simulator.control.add_transaction(purse.organization_id, purse.customer_id, purse.wallet_id, "-30")
    assert purse.settler().settle(operation_id).operation.is_by_balance

    take(purse, till_row(purse, "chargeoff", datetime.now(UTC), key="r1"))

    assert purse.states(operation_id)[-2:] == ["confirmed", "unknown"]
    assert purse.rows("select state from wallet.unsettled_operation where operation_id = %s", operation_id) == [
        ("unknown",)
    ]
    assert purse.value("select count(*) from wallet.charge") == 1


def test_person_corrects_an_outcome_and_all_follows(purse: Purse) -> None:
    hold = purse.do("hold", "30.00")
    cancelled = purse.do("cancel_hold", "30.00", hold_id=hold.operation_id)
    charge = purse.do("chargeoff", "10.00")

    for each in (cancelled, charge):
        purse.ledger.record(each, "rejected", {"reason": "back_office"}, basis="person")

    assert purse.rows("select closed_at from wallet.hold") == [(None,)]
    assert purse.rows("select * from wallet.charge") == []
    with pytest.raises(WarehouseError, match="operation_event_is_legal"):
        purse.ledger.record(purse.ledger.state(charge.operation_id), "confirmed", {"reason": "x"}, basis="report")


@pytest.mark.parametrize("field", ["organization_id", "customer_id", "wallet_id", "amount"])
@pytest.mark.parametrize("record", ["cancel_hold", "chargeoff"])
def test_end_that_disagrees_with_its_hold_is_a_reject(reference_purse: Purse, record: str, field: str) -> None:
    purse, hold_id = reference_purse, str(uuid4())
    at = datetime.now(UTC) - timedelta(hours=1)
    wrong = {field: "1.00" if field == "amount" else str(uuid4())}
    end = {"hold_id": hold_id, "key": "k", "consumes_hold": "true" if record == "chargeoff" else ""} | wrong

    reasons = take(purse, till_row(purse, "hold", at, hold_id=hold_id), till_row(purse, record, at, **end))

    assert reasons == ["the record names a hold of another organization, customer, wallet or amount"]
    assert purse.open_in_ledger() == 1
    assert purse.rows("select hold_id::text, kind from wallet.contested_ending") == [(hold_id, record)]


def test_reported_time_ahead_is_a_reject(reference_purse: Purse) -> None:
    purse, now = reference_purse, datetime.now(UTC)
    order = {"record": "order", "order_id": "order-1", "state": "open"}

    reasons = take(
        purse,
        order | {"occurred_at": (now + timedelta(hours=3)).isoformat()},
        order | {"occurred_at": (now + timedelta(minutes=5)).isoformat()},
    )

    assert reasons == ["occurred_at is in the future; give its offset, or have the clock set"]
    assert purse.value("select count(*) from wallet.payment_order_version") == 1


def test_refund_names_the_charge_it_gives_back(reference_purse: Purse) -> None:
    purse, at = reference_purse, datetime.now(UTC)
    refund = till_row(purse, "topup", at, key="refund-1", refund_of="receipt-1")

    assert take(purse, refund, till_row(purse, "chargeoff", at, key="receipt-1")) == []

    assert (
        purse.value(
            "select charge.idempotency_key from wallet.operation as refund "
            "inner join wallet.operation as charge on refund.refund_of = charge.operation_id"
        )
        == "receipt-1"
    )
