"""One hold at Syrve is one hold of the ledger, whoever reports it and in whatever order."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from fixtures.wallets import Purse
from syrve.findings.reconcile import reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.importing import WalletImport
from syrve.wallet.operations import OperationState
from syrve.warehouse.runs import Counts, TaskKey


def lost_hold(purse: Purse) -> tuple[OperationState, str]:
    """A hold of ours whose answer was lost, and the id that Syrve gave it."""
    purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "reset_after", "count": 1}])
    hold = purse.do("hold", "30.00", order_id="7")
    assert hold.state == "unknown"
    (made,) = purse.simulator.control.holds(customer_id=purse.customer_id)
    return hold, made["transaction_id"]


def report(purse: Purse, transaction_id: str, record: str = "hold", **fields: Any) -> Counts:
    row = {
        "record": record,
        "occurred_at": datetime.now(UTC).isoformat(),
        "hold_id": transaction_id,
        "customer_id": purse.customer_id,
        "wallet_id": purse.wallet_id,
        "amount": "30.00",
    }
    job = WalletImport(
        purse.warehouse, key=TaskKey("run", "import"), source="site", organization_id=purse.organization_id
    )
    return job.run([pd.DataFrame([row | fields], dtype="object")])


def tell(purse: Purse, hold: OperationState, transaction_id: str) -> None:
    """What a person finds in the back office."""
    purse.execute(
        "insert into wallet.operation_event (operation_id, sequence, state, basis, evidence) "
        "select operation_id, sequence + 1, 'confirmed', 'person', jsonb_build_object('reason', 'back_office', 'transaction_id', %s::text) "
        "from wallet.operation_state where operation_id = %s",
        transaction_id,
        hold.operation_id,
    )


def found(purse: Purse, hours: int = 6) -> set[str]:
    reconcile(
        purse.warehouse,
        as_of=datetime.now(UTC) + timedelta(hours=hours),
        organization_ids=[purse.organization_id],
        thresholds=Thresholds(Limits()),
        run_id="run",
    )
    return {rule for (rule,) in purse.rows("select rule from wallet.finding where resolved_at is null")}


@pytest.mark.parametrize("told_first", [True, False], ids=["ledger first", "site first"])
def test_own_hold_that_a_site_reports_too_is_one(reference_purse: Purse, told_first: bool) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)

    if told_first:
        tell(purse, hold, transaction_id)
    report(purse, transaction_id, order_id="site 7")
    if not told_first:
        assert len(purse.rows("select 1 from wallet.open_hold")) == 2
        tell(purse, hold, transaction_id)

    assert purse.rows("select hold_id::text, transaction_id::text, order_id, observed from wallet.hold") == [
        (hold.operation_id, transaction_id, "7", False)
    ]
    assert found(purse) == {"stale_hold", "hold_without_order"}
    assert purse.rows("select count(*) from wallet.finding where resolved_at is null") == [(2,)]
    assert purse.do("cancel_hold", "30.00", hold_id=transaction_id).state == "confirmed"
    assert (purse.rows("select closed_by from wallet.hold"), purse.holds) == ([("cancelled",)], ["cancelled"])
    assert found(purse) == set()


def test_end_reported_by_the_site_closes_the_one_hold(reference_purse: Purse) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)
    report(purse, transaction_id)
    report(purse, transaction_id, "chargeoff", key="receipt", consumes_hold="true")

    tell(purse, hold, transaction_id)

    assert purse.rows("select hold_id::text, closed_by from wallet.hold") == [(hold.operation_id, "consumed")]
    assert found(purse) == set()


def test_hold_was_certain_from_the_sites_report_on(reference_purse: Purse) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)
    report(purse, transaction_id)
    reported_at = purse.value("select confirmed_at from wallet.hold where observed")

    tell(purse, hold, transaction_id)

    assert purse.value("select confirmed_at from wallet.hold") == reported_at


def test_corrected_id_gives_the_sites_hold_its_row_back(reference_purse: Purse) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)
    report(purse, transaction_id)
    tell(purse, hold, transaction_id)
    other = str(uuid4())

    purse.execute(
        "insert into wallet.operation_event (operation_id, sequence, state, basis, evidence) values (%s, 5, 'rejected', 'person', %s), "
        "(%s, 6, 'confirmed', 'person', %s)",
        hold.operation_id,
        '{"reason": "back_office"}',
        hold.operation_id,
        f'{{"transaction_id": "{other}"}}',
    )

    rows = purse.rows("select transaction_id::text, observed from wallet.hold order by observed")
    assert rows == [(other, False), (transaction_id, True)]


@pytest.mark.parametrize("field", ["amount", "customer_id", "wallet_id", "organization_id"])
def test_hold_of_our_id_and_other_money_is_a_reject(reference_purse: Purse, field: str) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)
    tell(purse, hold, transaction_id)

    counts = report(purse, transaction_id, **{field: "31.00" if field == "amount" else str(uuid4())})

    assert (counts.changed, counts.rejected) == (0, 1)
    assert purse.rows("select amount, customer_id::text from wallet.hold") == [(Decimal(30), purse.customer_id)]
    assert purse.value("select reason from sync.reject") == "hold_id is taken by an operation of other content"


def test_two_holds_of_other_money_stay_two(reference_purse: Purse) -> None:
    purse = reference_purse
    hold, transaction_id = lost_hold(purse)
    report(purse, transaction_id, amount="31.00")

    tell(purse, hold, transaction_id)

    assert purse.rows("select amount from wallet.hold order by amount") == [(Decimal(30),), (Decimal(31),)]
