"""What a service, a report, a worker's disk or a changed DAG say is a claim: nothing of it takes money twice or hides what is owed."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.wallets import AT_ONCE, Purse
from syrve.findings.reconcile import reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.errors import PaymentRefused, PaymentUnsettled, UnusableOperation
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.money_settings import POLICIES, PaymentPolicy, WalletSettings
from syrve.wallet.operations import OperationState
from syrve.wallet.payment import Payment, PaymentRequest
from syrve.wallet.settle import Settler
from syrve.wallet.settle_unknown import settle_unknown
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import TaskKey

CHARGE, POS = POLICIES


def found(purse: Purse) -> set[tuple[str, Decimal]]:
    """What reconciliation finds about the customer some hours later."""
    reconcile(
        purse.warehouse,
        as_of=datetime.now(UTC) + timedelta(hours=3),
        organization_ids=[purse.organization_id],
        thresholds=Thresholds(Limits()),
        run_id="later",
    )
    query = "select rule, amount_at_risk from wallet.finding where resolved_at is null and customer_id = %s"
    return set(purse.rows(query, purse.customer_id))


def payment(purse: Purse, policy: PaymentPolicy = CHARGE, payment_id: str = "") -> Payment:
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    return Payment(purse.money(), PaymentRequest(*whose, Decimal("30.00"), "o-1", payment_id), policy=policy)


# the id of a hold


def answer_with_id_of_another(purse: Purse, *, applied: bool) -> str:
    """Make one hold, and let the answer to the next one name it again, as a cache in between may; returns that id."""
    purse.do("hold", "20.00", order_id="first")
    (first,) = purse.simulator.control.holds(customer_id=purse.customer_id)
    answer: dict[str, Any] = {"fault": "status", "status": 200, "body": {"transactionId": first["transaction_id"]}}
    purse.simulator.control.set_faults([answer | {"operation": "wallet_hold", "applied": applied, "count": 1}])
    return first["transaction_id"]


@pytest.mark.parametrize("applied", [True, False])
def test_answer_that_names_another_hold_is_no_outcome(purse: Purse, applied: bool) -> None:
    other_id = answer_with_id_of_another(purse, applied=applied)

    done = purse.do("hold", "30.00", order_id="second")

    assert done.state == "unknown"
    assert done.evidence == {"reason": "answer_names_another_hold", "answered_id": other_id}
    assert purse.ledger.transaction_id(done.operation_id) != other_id


@pytest.mark.parametrize("applied", [True, False])
def test_payment_never_cancels_the_hold_of_another(purse: Purse, applied: bool) -> None:
    other_id = answer_with_id_of_another(purse, applied=applied)

    with suppress(PaymentUnsettled), payment(purse):  # under `cloud` the report may show that it was made under our id
        pass

    states = {
        each["transaction_id"]: each["state"] for each in purse.simulator.control.holds(customer_id=purse.customer_id)
    }
    assert states[other_id] == "open"


def test_balance_of_another_customer_is_none(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> None:
    money = purse.money()
    operation = purse.plan("topup")
    assert money.balance(operation) == Decimal("100.00")
    mine = money.client.customer_by_id(purse.organization_id, purse.customer_id)
    merged = msgspec.structs.replace(mine, customer_id=purse.wallet_id)

    monkeypatch.setattr(money.client, "customer_by_id", lambda *_: merged)

    assert money.balance(operation) is None


# a marker that somebody quotes


def unknown_charge(purse: Purse) -> OperationState:
    purse.simulator.control.set_faults([{"operation": "wallet_chargeoff", "fault": "status", "count": 1}])
    done = purse.do("chargeoff", "30.00", order_id="o-1")
    assert done.state == "unknown"
    return done


@pytest.mark.parametrize("change", ["30.00", "-5.00", "5.00"])
def test_quoted_marker_shows_no_charge(cloud_purse: Purse, change: str) -> None:
    purse = cloud_purse
    charge = unknown_charge(purse)
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    said = f"guest says that {charge.operation_id} never came"
    purse.simulator.control.add_transaction(*whose, Decimal(change), type_name="Correction", type=9, comment=said)

    settled = purse.settler().settle(charge.operation_id).operation

    assert settled.state == "unknown"


def test_row_that_quotes_a_marker_is_somebody_elses(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.do("hold", "20.00")
    charge = unknown_charge(purse)
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    said = f"given back: {charge.operation_id}"
    purse.simulator.control.add_transaction(*whose, Decimal("30.00"), type_name="RefillWallet", type=1, comment=said)

    job = TransactionsImport(purse.warehouse, purse.money().client, key=TaskKey("run", "report"))
    job.run([purse.organization_id], customers=10)

    assert (
        purse.value("select count(*) from wallet.transaction where marked_operation_id = %s", charge.operation_id) == 0
    )
    assert purse.rows("select kind, amount from wallet.operation where source = 'transactions'") == [
        ("topup", Decimal("30.00"))
    ]


# what a machine kept while the warehouse was away


class AwayLedger(Ledger):
    """A ledger that can't be written to once a call was made."""

    def record(self, operation: OperationState, state: Any, evidence: Mapping[str, Any], **more: Any) -> OperationState:
        raise WarehouseUnavailable("away")


def on(purse: Purse, folder: Path) -> WalletSettings:
    return replace(AT_ONCE, spool_path=str(folder), record_tries=1)


def hold_whose_answer_is_kept(purse: Purse, folder: Path) -> str:
    operation = purse.plan("hold", "30.00", order_id="o-1")
    money = Money(AwayLedger(purse.warehouse), purse.money().client, settings=on(purse, folder), sleep=lambda _: None)
    with pytest.raises(WarehouseUnavailable):
        money.execute(operation.operation_id)
    return operation.operation_id


REFUSE = """
create function wallet.refuse_answers() returns trigger language plpgsql as
$$ begin raise exception 'full' using errcode = 'disk_full'; end $$;
create trigger refuse_answers before insert on wallet.operation_event
for each row when (new.state = 'confirmed') execute function wallet.refuse_answers()
"""


def test_answer_that_a_full_warehouse_refuses_is_kept(purse: Purse, tmp_path: Path) -> None:
    operation = purse.plan("topup", "1.00")
    money = purse.money(settings=on(purse, tmp_path), sleep=lambda _: None)
    with purse.warehouse.transaction("fill") as cursor:
        cursor.execute(REFUSE)
    try:
        with pytest.raises(WarehouseUnavailable, match="this machine keeps it"):
            money.execute(operation.operation_id)
    finally:
        with purse.warehouse.transaction("free") as cursor:
            cursor.execute("drop function wallet.refuse_answers() cascade")

    settle_unknown(Settler(purse.money(settings=on(purse, tmp_path))), purse.warehouse, [], operations=10)

    assert purse.ledger.state(operation.operation_id).basis == "answer"
    assert purse.received["wallet_topup"] == 1


def test_kept_answer_counts_more_than_a_balance(reference_purse: Purse, tmp_path: Path) -> None:
    purse = reference_purse
    hold_id = hold_whose_answer_is_kept(purse, tmp_path / "a")
    elsewhere = Settler(purse.money(settings=on(purse, tmp_path / "b"))).settle(hold_id).operation
    assert (elsewhere.state, elsewhere.basis) == ("confirmed", "balance")

    here = Settler(purse.money(settings=on(purse, tmp_path / "a")))
    settle_unknown(here, purse.warehouse, [], operations=10)

    (made,) = purse.simulator.control.holds(customer_id=purse.customer_id)
    assert purse.ledger.state(hold_id).basis == "answer"
    assert purse.ledger.transaction_id(hold_id) == made["transaction_id"]
    assert here.kept_here == []


def test_kept_answer_that_says_nothing_is_let_go(purse: Purse, tmp_path: Path) -> None:
    purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "reset_before", "count": 1}])
    hold_id = hold_whose_answer_is_kept(purse, tmp_path / "a")
    elsewhere = Settler(purse.money(settings=on(purse, tmp_path / "b"))).settle(hold_id).operation
    assert elsewhere.state == "unknown"

    here = Settler(purse.money(settings=on(purse, tmp_path / "a")))
    assert here.settle(hold_id).operation.state == "unknown"
    assert here.kept_here == []


# payments


@pytest.mark.parametrize("length", [120, 138, 139, 150, 156])
def test_payment_id_too_long_for_any_step_sets_nothing_aside(purse: Purse, length: int) -> None:
    purse.set_balance(
        "30.00"
    )  # the charge is refused first, and made after the hold is cancelled: all steps are needed

    if length > 138:
        with pytest.raises(UnusableOperation, match="at most 138 characters"), payment(purse, payment_id="p" * length):
            pytest.fail("the order must not run")
        assert purse.received == {}
        return
    with payment(purse, payment_id="p" * length):
        pass
    assert (purse.balance, purse.holds) == (Decimal(0), ["cancelled"])


def test_policy_of_a_payment_is_that_it_was_begun_with(purse: Purse) -> None:
    payment(purse, POS).begin()
    (hold,) = purse.simulator.control.holds(customer_id=purse.customer_id)
    purse.simulator.control.consume_hold(purse.organization_id, hold["transaction_id"])

    result = payment(purse, CHARGE).complete()  # the DAG was changed meanwhile, and nobody has told of the till yet

    assert not result.is_paid
    assert purse.balance == Decimal("70.00")
    assert purse.received == {"wallet_hold": 1}


def test_order_that_ran_though_its_hold_was_refused_is_found(purse: Purse) -> None:
    purse.set_balance("10.00")
    with pytest.raises(PaymentRefused), payment(purse):
        pytest.fail("the order must not run")
    assert found(purse) == set()

    with suppress(PaymentRefused):
        payment(purse).complete()  # but somebody marked the task as success, and the order ran

    assert found(purse) == {("completed_order_unpaid", Decimal("30.00"))}


def test_order_found_unpaid_is_paid_by_a_later_charge(purse: Purse) -> None:
    purse.set_balance("10.00")
    for run in ("begin", "complete"):
        with suppress(PaymentRefused):
            getattr(payment(purse), run)()
    assert found(purse) == {("completed_order_unpaid", Decimal("30.00"))}

    purse.set_balance("50.00")
    purse.do("chargeoff", "30.00", order_id="o-1")

    assert found(purse) == set()
