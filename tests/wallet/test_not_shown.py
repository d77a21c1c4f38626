"""A yes of the service is a claim: what it did not carry out is found by its own report (dialect `cloud`)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from fixtures.moved_twice import REFILL, WITHDRAWAL, found, lie, look
from fixtures.payments import CHARGE, TillRefuses, pay, refuse, say, take, till_row
from fixtures.pulls import IMPATIENT
from fixtures.wallets import Purse
from syrve.api.client import SyrveClient
from syrve.quality.checks import check_named
from syrve.quality.making import make_check
from syrve.wallet.errors import PaymentRefused
from syrve.wallet.operations import Kind, OperationState
from syrve.wallet.payment import Payment

RULE = "operation_not_shown"
KINDS: tuple[Kind, ...] = ("topup", "chargeoff", "cancel_hold")


def missing(purse: Purse, hours: float = 1.0) -> list[tuple[str, Decimal, str]]:
    return found(purse, hours, RULE)


def done(purse: Purse, kind: Kind, *, truly: bool) -> OperationState:
    """Move 20.00, or let the service say that it did."""
    hold = {"hold_id": purse.do("hold", "20.00").operation_id} if kind == "cancel_hold" else {}
    if not truly:
        lie(purse, kind)
    operation = purse.do(kind, "20.00", **hold)
    assert (operation.state, operation.basis) == ("confirmed", "answer")
    return operation


def hold_again(purse: Purse, operation_id: str, hold_id: str) -> None:
    """Let a proxy make the call of a hold again."""
    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
        whose = (purse.organization_id, purse.customer_id, purse.wallet_id, Decimal("20.00"))
        client.hold(*whose, comment=f"#{operation_id}", hold_id=hold_id)


@pytest.mark.parametrize("kind", KINDS)
def test_yes_without_a_movement_is_found(cloud_purse: Purse, kind: Kind) -> None:
    operation = done(cloud_purse, kind, truly=False)
    assert missing(cloud_purse) == []

    assert look(cloud_purse).changed == 1

    assert missing(cloud_purse) == [("high", Decimal("20.00"), f"operation:{operation.operation_id}")]
    assert look(cloud_purse).changed == 0, "it is looked for again, and that is no news"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hold_transaction_type", [36, 8, None])
@pytest.mark.parametrize("is_shown", [True, False])
def test_what_was_carried_out_is_not_missing(
    cloud_purse: Purse, kind: Kind, hold_transaction_type: int | None, is_shown: bool
) -> None:
    switches: dict[str, Any] = {"balance_shows_held_money": is_shown, "hold_id_is_transaction_id": is_shown}
    cloud_purse.simulator.control.set_switches(hold_transaction_type=hold_transaction_type, **switches)
    done(cloud_purse, kind, truly=True)
    cloud_purse.do("hold", "5.00")

    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])


@pytest.mark.parametrize("kind", KINDS)
def test_row_that_is_late_is_not_missing(cloud_purse: Purse, kind: Kind) -> None:
    """The report lacks the row, but the balance has what moved."""
    hold = {"hold_id": cloud_purse.do("hold", "20.00").operation_id} if kind == "cancel_hold" else {}
    cloud_purse.simulator.control.set_switches(transaction_delay_seconds=7200)

    cloud_purse.do(kind, "20.00", **hold)

    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])


def test_row_that_is_later_than_the_next_one_is_not_missing(cloud_purse: Purse) -> None:
    switches = cloud_purse.simulator.control.set_switches
    switches(transaction_delay_seconds=7200)
    cloud_purse.do("topup", "20.00")
    switches(transaction_delay_seconds=0)
    cloud_purse.do("chargeoff", "5.00")

    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])


def test_row_dated_before_the_call_is_not_missing(cloud_purse: Purse) -> None:
    """Our clock ran ahead then: the report is asked for from an hour after the row on."""
    control = cloud_purse.simulator.control
    control.set_clock(datetime.now(UTC) - timedelta(hours=1))
    try:
        cloud_purse.do("topup", "20.00")
    finally:
        control.reset_clock()
    cloud_purse.do("chargeoff", "5.00")

    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])


def test_lie_is_found_once_the_report_has_what_else_moved(cloud_purse: Purse) -> None:
    operation = done(cloud_purse, "topup", truly=False)
    cloud_purse.set_balance("55.00")  # of which there is no row yet
    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])

    cloud_purse.set_balance("100.00")

    assert look(cloud_purse).changed == 1
    assert [subject for _, _, subject in missing(cloud_purse)] == [f"operation:{operation.operation_id}"]


def test_lie_is_found_though_the_report_was_refused_first(cloud_purse: Purse) -> None:
    operation = done(cloud_purse, "chargeoff", truly=False)
    refusal = {"fault": "error_in_body", "own_status": 400, "error_code": "Common_Refused", "count": 1}
    cloud_purse.simulator.control.set_faults([refusal | {"operation": "transactions_by_date"}])
    assert look(cloud_purse).rejected == 1

    assert look(cloud_purse).changed == 1

    assert [subject for _, _, subject in missing(cloud_purse)] == [f"operation:{operation.operation_id}"]


@pytest.mark.parametrize("kind", ["topup", "cancel_hold"])
def test_row_that_shows_it_later_ends_the_finding(cloud_purse: Purse, kind: Kind) -> None:
    purse = cloud_purse
    operation = done(purse, kind, truly=False)
    look(purse)
    assert len(missing(purse)) == 1
    marker = operation.hold_id or operation.operation_id
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    purse.simulator.control.add_transaction(*whose, Decimal("20.00"), type=REFILL, comment=f"#{marker}")

    assert look(purse).changed == 1

    assert missing(purse, 2.0) == []


def test_sum_that_moved_without_a_marker_may_be_it(cloud_purse: Purse) -> None:
    done(cloud_purse, "topup", truly=False)
    whose = (cloud_purse.organization_id, cloud_purse.customer_id, cloud_purse.wallet_id)
    cloud_purse.simulator.control.add_transaction(*whose, Decimal("20.00"), type=REFILL, comment="by hand")

    assert (look(cloud_purse).changed, missing(cloud_purse)) == (0, [])


def test_movement_of_another_operation_is_not_it(cloud_purse: Purse) -> None:
    done(cloud_purse, "topup", truly=True)
    operation = done(cloud_purse, "topup", truly=False)

    look(cloud_purse)

    assert [subject for _, _, subject in missing(cloud_purse)] == [f"operation:{operation.operation_id}"]


def test_person_who_rejects_it_opens_what_follows(cloud_purse: Purse) -> None:
    purse = cloud_purse
    done(purse, "cancel_hold", truly=False)
    look(purse)
    assert (len(missing(purse)), purse.open_in_ledger()) == (1, 0)

    say(purse, "cancel_hold", "rejected")

    assert (missing(purse, 2.0), purse.open_in_ledger()) == ([], 1)
    assert look(purse).requested == 0, "somebody looked"


def test_money_of_a_failed_payment_that_stays_held_is_found(cloud_purse: Purse) -> None:
    lie(cloud_purse, "cancel_hold")
    with suppress(TillRefuses):
        pay(cloud_purse, CHARGE, refuse)
    assert (cloud_purse.holds, cloud_purse.open_in_ledger()) == (["open"], 0)

    look(cloud_purse)

    assert [amount for _, amount, _ in missing(cloud_purse)] == [Decimal("30.00")]


def test_order_that_a_yes_left_unpaid_is_found(cloud_purse: Purse) -> None:
    purse = cloud_purse
    lie(purse, "chargeoff")
    pay(purse, CHARGE)
    assert purse.balance == Decimal("100.00")

    look(purse)
    assert [amount for _, amount, _ in missing(purse)] == [Decimal("30.00")]
    say(purse, "chargeoff", "rejected")

    assert [amount for _, amount, _ in found(purse, 2.0, "completed_order_unpaid")] == [Decimal("30.00")]


def test_hold_that_its_lying_end_keeps_takes_nothing_twice(cloud_purse: Purse) -> None:
    purse = cloud_purse
    purse.set_balance("30.00")
    lie(purse, "cancel_hold")

    with pytest.raises(PaymentRefused):
        pay(purse, CHARGE)

    look(purse)
    assert (purse.balance, len(missing(purse))) == (Decimal("30.00"), 1)


@pytest.mark.parametrize("ends", [1, 2])
def test_hold_made_twice_under_one_id_needs_two_ends(cloud_purse: Purse, ends: int) -> None:
    purse = cloud_purse
    purse.simulator.control.set_switches(repeated_hold_id="second_hold", hold_id_is_transaction_id=True)
    hold = purse.do("hold", "20.00")
    hold_again(purse, hold.operation_id, hold.operation_id)
    purse.do("cancel_hold", "20.00", hold_id=hold.operation_id)
    if ends == 2:
        with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
            client.cancel_hold(purse.organization_id, hold.operation_id)

    look(purse)

    assert sorted(purse.holds) == ["cancelled", "open" if ends == 1 else "cancelled"]
    assert len(missing(purse)) == 2 - ends


@pytest.mark.parametrize("is_over", [True, False])
def test_hold_made_under_two_ids_is_found(cloud_purse: Purse, is_over: bool) -> None:
    purse = cloud_purse
    hold = purse.do("hold", "20.00")
    hold_again(purse, hold.operation_id, str(uuid4()))
    if is_over:
        purse.do("cancel_hold", "20.00", hold_id=hold.operation_id)

    look(purse)

    assert found(purse) == [("critical", Decimal("20.00"), f"operation:{hold.operation_id}")]
    assert missing(purse) == [], "what we cancelled is over"


def test_end_that_a_till_made_up_is_found(cloud_purse: Purse) -> None:
    """A till reports that it cancelled a hold that it consumed: the order is charged, and the guest has paid twice."""
    purse = cloud_purse

    def order(payment: Payment) -> None:
        hold_id = str(purse.value("select hold_id from wallet.hold"))
        purse.simulator.control.consume_hold(purse.organization_id, hold_id)
        assert take(purse, till_row(purse, "cancel_hold", datetime.now(UTC), hold_id=hold_id, key="k")) == []

    assert pay(purse, CHARGE, order).order_is_completed
    assert purse.balance == Decimal("40.00")

    look(purse)

    assert [(severity, amount) for severity, amount, _ in missing(purse)] == [("high", Decimal("30.00"))]
    assert look(purse).changed == 0


def test_end_that_a_till_made_is_shown(cloud_purse: Purse) -> None:
    purse = cloud_purse
    hold = purse.do("hold", "30.00")
    with SyrveClient(purse.config, backoff=IMPATIENT, keeps_connection=False) as client:
        client.cancel_hold(purse.organization_id, hold.operation_id)
    assert take(purse, till_row(purse, "cancel_hold", datetime.now(UTC), hold_id=hold.operation_id, key="k")) == []

    assert (look(purse).changed, missing(purse)) == (0, [])


@pytest.mark.parametrize("is_shown", [True, False])
@pytest.mark.parametrize("hold_transaction_type", [36, 8])
@pytest.mark.parametrize("truly", [True, False])
def test_money_that_a_till_did_not_take_is_found(
    cloud_purse: Purse, is_shown: bool, hold_transaction_type: int, truly: bool
) -> None:
    """The payment counts as paid by the till's word, and the money stays held."""
    purse = cloud_purse
    switches: dict[str, Any] = {"balance_shows_held_money": is_shown, "hold_id_is_transaction_id": is_shown}
    purse.simulator.control.set_switches(hold_transaction_type=hold_transaction_type, **switches)
    hold = purse.do("hold", "30.00")
    assert look(purse).changed == 0, "the till reports only after that"
    if truly:
        purse.simulator.control.consume_hold(purse.organization_id, hold.operation_id)
    said = {"hold_id": hold.operation_id, "key": "k", "consumes_hold": "true"}
    assert take(purse, till_row(purse, "chargeoff", datetime.now(UTC), **said)) == []
    assert (look(purse, least_age_seconds=None).requested, missing(purse)) == (0, [])

    assert look(purse).changed == (0 if truly else 1)

    assert [(severity, amount) for severity, amount, _ in missing(purse)] == (
        [] if truly else [("high", Decimal("30.00"))]
    )
    assert look(purse).requested == (0 if truly else 1)


def test_payment_before_the_hold_is_not_its_consumption(cloud_purse: Purse) -> None:
    purse = cloud_purse
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    purse.simulator.control.add_transaction(*whose, Decimal("-30.00"), type=WITHDRAWAL, comment="at the till")
    hold = purse.do("hold", "30.00")
    said = {"hold_id": hold.operation_id, "key": "k", "consumes_hold": "true"}
    assert take(purse, till_row(purse, "chargeoff", datetime.now(UTC), **said)) == []

    look(purse)

    assert [amount for _, amount, _ in missing(purse)] == [Decimal("30.00")]


def test_money_that_the_order_took_is_shown_late(cloud_purse: Purse) -> None:
    purse = cloud_purse
    control = purse.simulator.control

    def order(payment: Payment) -> None:
        control.set_switches(transaction_delay_seconds=7200)
        control.consume_hold(purse.organization_id, str(purse.value("select hold_id from wallet.hold")))
        payment.note_consumed(receipt="r1")

    assert pay(purse, "pos_consumes_hold", order).order_is_completed
    look(purse)
    control.set_clock(datetime.now(UTC) + timedelta(hours=3))
    try:
        look(purse)
    finally:
        control.reset_clock()

    assert missing(purse) == []


@pytest.mark.parametrize(("is_shown", "truly", "examples"), [(False, False, 1), (False, True, 0), (True, False, 0)])
def test_check_finds_a_balance_that_did_not_rise(purse: Purse, is_shown: bool, truly: bool, examples: int) -> None:
    purse.simulator.control.set_switches(balance_shows_held_money=is_shown)
    if not truly:
        lie(purse, "cancel_hold")
    with suppress(TillRefuses):
        pay(purse, CHARGE, refuse)
    now = Decimal("100.00") if is_shown or truly else Decimal("70.00")
    purse.execute(
        "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) "
        "values (%s, %s, %s, %s, now(), now())",
        *(purse.organization_id, purse.customer_id, purse.wallet_id, now),
    )
    purse.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, confirmed_at) "
        "values (%s, 'id', %s, 'test', %s, now() + interval '1 hour')",
        *(purse.organization_id, purse.customer_id, purse.customer_id),
    )

    made = make_check(purse.warehouse, check_named("ledger_meets_balances"), run_id="run")

    assert len(made.examples) == examples
