"""What is unknown is settled by evidence, or stays unknown and says what is missing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fixtures.pulls import IMPATIENT
from fixtures.wallets import Purse
from syrve.api.client import SyrveClient
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.operations import Kind, OperationState
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.runs import TaskKey

MOVES: tuple[Kind, ...] = ("topup", "chargeoff")


def lost(purse: Purse, kind: Kind, fault: str, **fields: str) -> OperationState:
    """Send an operation whose answer is lost, after (`reset_after`) or before it was carried out."""
    calls = {
        "hold": "wallet_hold",
        "cancel_hold": "wallet_cancel_hold",
        "topup": "wallet_topup",
        "chargeoff": "wallet_chargeoff",
    }
    purse.simulator.control.set_faults([{"operation": calls[kind], "fault": fault, "count": 1}])
    done = purse.do(kind, **fields)
    assert done.state == "unknown"
    return done


@pytest.mark.parametrize("kind", MOVES)
def test_money_that_moved_is_found(purse: Purse, kind: Kind) -> None:
    operation = lost(purse, kind, "reset_after")

    settled = purse.settler().settle(operation.operation_id)

    assert (settled.operation.state, settled.missing) == ("confirmed", None)
    assert settled.operation.evidence["reason"] in ("transactions_report", "balance")


@pytest.mark.parametrize("kind", MOVES)
def test_money_that_did_not_move_is_seen_by_the_balance(purse: Purse, kind: Kind) -> None:
    operation = lost(purse, kind, "reset_before")

    settled = purse.settler().settle(operation.operation_id)

    assert settled.operation.state == "rejected"
    assert settled.operation.evidence == {"reason": "balance", "balance_before": "100.00", "balance_after": "100.00"}
    assert not settled.operation.may_be_tried_again, "evidence is not certainty: no new attempt by itself"


def test_nothing_is_concluded_from_silence_before_the_quiet_time_is_over(purse: Purse) -> None:
    operation = lost(purse, "topup", "reset_before")

    settled = purse.settler(settings=WalletSettings()).settle(operation.operation_id)

    assert (settled.operation.state, settled.missing) == (
        "unknown",
        "nothing moved so far, but the service may still be at it",
    )


def test_old_balance_is_no_evidence(reference_purse: Purse) -> None:
    operation = lost(reference_purse, "topup", "reset_after")
    later = datetime.now(UTC) + timedelta(hours=1)

    settled = reference_purse.settler(clock=lambda: later).settle(operation.operation_id)

    assert settled.missing == "the call is too long ago for the balance to show what it did"


def test_balance_is_no_evidence_where_something_else_of_ours_moved(reference_purse: Purse) -> None:
    operation = lost(reference_purse, "topup", "reset_after")
    reference_purse.do("chargeoff", "5.00")

    settled = reference_purse.settler().settle(operation.operation_id)

    assert settled.missing == "other operations on the same wallet make the balance no evidence"


def test_balance_is_no_evidence_where_somebody_else_moved_something(reference_purse: Purse) -> None:
    operation = lost(reference_purse, "topup", "reset_after")
    reference_purse.simulator.control.add_transaction(
        reference_purse.organization_id, reference_purse.customer_id, reference_purse.wallet_id, "-3"
    )

    settled = reference_purse.settler().settle(operation.operation_id)

    assert settled.missing == "the balance changed by another amount, so something else moved"


def test_report_counts_before_the_balance_where_others_moved_money_too(cloud_purse: Purse) -> None:
    operation = lost(cloud_purse, "topup", "reset_after")
    cloud_purse.do("chargeoff", "10.00")

    settled = cloud_purse.settler().settle(operation.operation_id)

    assert settled.operation.state == "confirmed"
    assert len(settled.operation.evidence["transactions"]) == 1


@pytest.mark.parametrize(
    "switches", [{}, {"transactions_order": "none"}, {"transaction_sums": "absolute"}, {"max_page_size": 1}]
)
def test_report_is_read_however_it_is_given(cloud_purse: Purse, switches: dict[str, object]) -> None:
    cloud_purse.simulator.control.set_switches(**switches)  # type: ignore[arg-type]
    cloud_purse.do("topup")
    operation = lost(cloud_purse, "chargeoff", "reset_after")

    assert cloud_purse.settler().settle(operation.operation_id).operation.state == "confirmed"


def test_report_that_is_late_settles_nothing_until_it_shows_the_money(cloud_purse: Purse) -> None:
    cloud_purse.simulator.control.set_switches(transaction_delay_seconds=3600)
    operation = lost(cloud_purse, "topup", "reset_after")

    settled = cloud_purse.settler().settle(operation.operation_id)

    assert settled.missing == "the report does not show it yet"


@pytest.mark.parametrize("shows_id", [True, False])
def test_hold_is_found_under_the_id_that_we_chose(cloud_purse: Purse, shows_id: bool) -> None:
    cloud_purse.simulator.control.set_switches(hold_id_is_transaction_id=shows_id)
    operation = lost(cloud_purse, "hold", "reset_after")

    settled = cloud_purse.settler().settle(operation.operation_id)

    assert settled.operation.state == "confirmed"
    assert cloud_purse.do("cancel_hold", hold_id=operation.operation_id).state == "confirmed"
    assert cloud_purse.holds == ["cancelled"]


@pytest.mark.parametrize("kind", ["hold", "cancel_hold"])
def test_hold_that_no_report_and_no_balance_shows_stays_unknown(cloud_purse: Purse, kind: Kind) -> None:
    cloud_purse.simulator.control.set_switches(hold_transaction_type=None, balance_shows_held_money=True)
    fields = {} if kind == "hold" else {"hold_id": cloud_purse.do("hold").operation_id}
    operation = lost(cloud_purse, kind, "reset_after", **fields)

    settled = cloud_purse.settler().settle(operation.operation_id)

    assert settled.operation.state == "unknown"
    assert settled.missing == "the balance is the same, which it may be with held money in it"
    assert cloud_purse.open_in_ledger() == 1


def test_cancellation_whose_answer_was_lost_is_found(purse: Purse) -> None:
    hold = purse.do("hold")
    operation = lost(purse, "cancel_hold", "reset_after", hold_id=hold.operation_id)
    assert purse.open_in_ledger() == 1

    assert purse.settler().settle(operation.operation_id).operation.state == "confirmed"
    assert purse.open_in_ledger() == 0


def test_sender_that_died_is_settled_like_a_lost_answer(purse: Purse) -> None:
    planned = purse.plan("topup")
    before = {"balance_before": "100.00"}
    purse.ledger.record(planned, "sent", before)
    purse.simulator.control.add_transaction(
        purse.organization_id, purse.customer_id, purse.wallet_id, "10", type=30, comment=f"#{planned.operation_id}"
    )

    assert purse.settler().settle(planned.operation_id).operation.state == "confirmed"
    assert purse.states(planned.operation_id) == ["planned", "sent", "unknown", "confirmed"]


def test_operation_of_others_without_a_balance_stays_unknown(reference_purse: Purse) -> None:
    told = reference_purse.ledger.observe(reference_purse.operation("hold"), "unknown", {})

    settled = reference_purse.settler().settle(told.operation_id)

    assert settled.missing == "the balance before the call is not known"


def test_settled_operation_is_left_alone(purse: Purse) -> None:
    done = purse.do("topup")
    events = purse.events

    assert purse.settler().settle(done.operation_id).operation == done
    assert purse.events == events
    assert purse.balance == Decimal("110.00")


def test_evidence_holds_amounts_as_text(purse: Purse) -> None:
    operation = lost(purse, "topup", "reset_before")
    purse.settler().settle(operation.operation_id)

    kept = purse.rows("select evidence from wallet.operation_event where evidence ? 'balance_before'")

    assert kept
    assert all(isinstance(evidence["balance_before"], str) for (evidence,) in kept)


def test_row_of_the_hold_does_not_reopen_its_charge(cloud_purse: Purse) -> None:
    """The charge never arrived, as the balance shows; that its hold began was known when the charge was sent."""
    purse = cloud_purse
    purse.simulator.control.set_switches(hold_transaction_type=36, balance_shows_held_money=False)
    hold = purse.do("hold", order_id="7")
    charge = lost(purse, "chargeoff", "reset_before", hold_id=hold.operation_id, order_id="7")
    assert purse.settler().settle(charge.operation_id).operation.is_by_balance

    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
        job = TransactionsImport(purse.warehouse, client, key=TaskKey("run", "report"))
        assert job.run([purse.organization_id], customers=100).changed == 1

    known = purse.ledger.state(charge.operation_id)
    assert (known.state, known.basis) == ("rejected", "balance")
