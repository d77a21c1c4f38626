"""Two rows of Syrve's report that name one operation: it was sent once, so one is it, and the other is found."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from fixtures.moved_twice import REFILL, WITHDRAWAL, found, move_again, read_report
from fixtures.wallets import Purse
from syrve.wallet.importing import WalletImport
from syrve.warehouse.runs import TaskKey


def as_reported(purse: Purse, **other: Any) -> dict[str, Any]:
    """The latest row of the report as it goes over the wire, under an id of its own."""
    (*_, one) = purse.simulator.control.transactions(customer_id=purse.customer_id)
    row = {
        "id": str(uuid4()),
        "revision": one["revision"] + 1,
        "organizationId": purse.organization_id,
        "type": one["type"],
        "typeName": one["type_name"],
        "sum": float(one["sum"]),
        "balanceBefore": float(one["balance_before"]),
        "balanceAfter": float(one["balance_after"]),
        "walletId": purse.wallet_id,
        "comment": one["comment"],
        "whenCreated": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000"),
    }
    return row | other


def report(purse: Purse, kind: str, state: str, **fields: Any) -> None:
    """Import what a person saw in the back office of the row that repeats, under its transaction id."""
    row = {
        "record": kind,
        "key": str(purse.value("select transaction_id::text from wallet.repeated_transaction")),
        "occurred_at": datetime.now(UTC).isoformat(),
        "state": state,
        "customer_id": purse.customer_id,
        "wallet_id": purse.wallet_id,
        "amount": "20.00",
    }
    key = TaskKey(f"run-{uuid4()}", "import")
    job = WalletImport(purse.warehouse, key=key, source="office", organization_id=purse.organization_id)
    assert job.run([row | fields]).rejected == 0


@pytest.mark.parametrize(("kind", "sign", "code"), [("chargeoff", "-", WITHDRAWAL), ("topup", "", REFILL)])
def test_second_movement_under_one_marker_is_critical(cloud_purse: Purse, kind: Any, sign: str, code: int) -> None:
    purse = cloud_purse
    purse.do("hold", "5.00")  # the report is read of customers with an open hold
    operation = purse.do(kind, "20.00")
    move_again(purse, operation.operation_id, f"{sign}20", type=code)

    read_report(purse)

    assert found(purse) == [("critical", Decimal(20), f"operation:{operation.operation_id}")]
    assert purse.value("select is_second_movement from wallet.repeated_transaction")
    query = "select count(marked_operation_id), count(*) from wallet.transaction where marked_part = 'movement'"
    assert purse.rows(query) == [(1, 2)]
    report(purse, kind, "confirmed")
    assert found(purse, 2.0) == [], "somebody looked, and imported the second movement"


@pytest.mark.parametrize("balances", [{}, {"balanceBefore": None, "balanceAfter": None}], ids=["same", "none"])
def test_row_that_may_be_a_repeat_is_found_as_doubtful(cloud_purse: Purse, balances: dict[str, Any]) -> None:
    purse = cloud_purse
    purse.do("hold", "5.00")
    operation = purse.do("chargeoff", "20.00")
    read_report(purse)
    assert found(purse) == []
    body = {"transactions": [as_reported(purse, **balances)], "lastRevision": None, "pageSize": 1}
    fault = {"operation": "transactions_by_revision", "fault": "status", "status": 200, "body": body, "count": 1}
    purse.simulator.control.set_faults([fault])

    read_report(purse)

    assert found(purse, 2.0) == [("high", Decimal(20), f"operation:{operation.operation_id}")]
    assert not purse.value("select is_second_movement from wallet.repeated_transaction")
    report(purse, "chargeoff", "rejected")
    assert found(purse, 3.0) == [], "somebody looked: nothing moved a second time"


def test_row_that_is_read_again_is_no_repeat(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.do("hold", "5.00")
    purse.do("chargeoff", "20.00")

    for _ in range(2):
        read_report(purse)

    assert found(purse) == []
    assert purse.value("select count(*) from wallet.repeated_transaction") == 0


@pytest.mark.parametrize("hold_transaction_type", [None, 36])
@pytest.mark.parametrize("is_shown", [True, False])
def test_begin_and_end_of_a_hold_are_no_repeat(
    cloud_purse: Purse, hold_transaction_type: int | None, is_shown: bool
) -> None:
    purse = cloud_purse
    purse.simulator.control.set_switches(
        hold_transaction_type=hold_transaction_type, balance_shows_held_money=is_shown, hold_id_is_transaction_id=False
    )
    purse.do("hold", "5.00")
    hold = purse.do("hold", "20.00")
    purse.do("cancel_hold", "20.00", hold_id=hold.operation_id)

    read_report(purse)

    assert found(purse) == []


def test_settling_finds_that_a_lost_call_moved_twice(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.simulator.control.set_faults([{"operation": "wallet_topup", "fault": "reset_after", "count": 1}])
    operation = purse.do("topup", "20.00")
    move_again(purse, operation.operation_id, "20", type=REFILL)

    settled = purse.settler().settle(operation.operation_id).operation

    assert (settled.state, settled.basis) == ("confirmed", "report")
    assert found(purse) == [("critical", Decimal(20), f"operation:{operation.operation_id}")]


def test_repeated_row_makes_a_balance_no_evidence(cloud_purse: Purse) -> None:
    """The charge was made, and a row with the marker of another operation gave as much: the balance is as before."""
    purse = cloud_purse
    purse.do("hold", "5.00")
    first = purse.do("topup", "20.00")
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff", "fault": "reset_after", "count": 1}])
    lost = purse.do("chargeoff", "20.00")
    move_again(purse, first.operation_id, "20", type=REFILL)
    read_report(purse)
    late = {"transactions": [], "pageSize": 1, "pageNumber": 0}
    fault = {"operation": "transactions_by_date", "fault": "status", "status": 200, "body": late, "count": 1}
    purse.simulator.control.set_faults([fault])

    settled = purse.settler().settle(lost.operation_id)

    assert settled.operation.state == "unknown"
    assert settled.missing == "other operations on the same wallet make the balance no evidence"
