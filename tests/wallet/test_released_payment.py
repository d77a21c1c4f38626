"""A payment whose hold was cancelled before its order was reported is a finding until somebody reports it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fixtures.wallets import Purse
from syrve.findings.reconcile import reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.errors import PaymentRefused
from syrve.wallet.orders import record_order
from syrve.wallet.payment import Payment, PaymentRequest


class Died(BaseException):
    """The process is gone: nothing of it runs any more."""


def die_at(step: str) -> Callable[[str], None]:
    """End the process at its first step of that name."""

    def die(name: str) -> None:
        if name == step:
            raise Died

    return die


def release_hold(purse: Purse) -> None:
    purse.do("cancel_hold", "30.00", hold_id=purse.value("select hold_id::text from wallet.hold"))


def payment(purse: Purse, payment_id: str = "", **options: Any) -> Payment:
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    return Payment(purse.money(**options), PaymentRequest(*whose, Decimal("30.00"), "order-1", payment_id))


def released(purse: Purse) -> Payment:
    """Begin the payment of the order, and have somebody cancel its hold."""
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    release_hold(purse)
    return begun


def pay(purse: Purse, payment_id: str) -> None:
    with payment(purse, payment_id):
        pass


def say_that_the_order_is_open(purse: Purse, amount: str) -> None:
    whose = (purse.organization_id, "order-1")
    record_order(purse.warehouse, *whose, "open", amount=Decimal(amount), source="import:till")


def found(purse: Purse, *, minutes: int) -> set[str]:
    """Reconcile as of so many minutes from now, and return the rules of what is open."""
    reconcile(
        purse.warehouse,
        as_of=datetime.now(UTC) + timedelta(minutes=minutes),
        organization_ids=[purse.organization_id],
        thresholds=Thresholds(Limits()),
        run_id="run",
    )
    return {rule for (rule,) in purse.rows("select rule from wallet.finding where resolved_at is null")}


@pytest.mark.parametrize("ran", [True, False], ids=["ran", "did not run"])
def test_released_payment_is_found_until_it_is_reported(purse: Purse, ran: bool) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    purse.do("cancel_hold", "30.00", hold_id=purse.value("select hold_id::text from wallet.hold"))
    with pytest.raises(PaymentRefused, match="fail this one"):
        payment(purse).begin()

    assert (found(purse, minutes=59), found(purse, minutes=61)) == (set(), {"released_payment_unreported"})
    (payment(purse).complete if ran else payment(purse).fail)()

    assert (found(purse, minutes=62), purse.balance) == (set(), Decimal("70.00" if ran else "100.00"))


def test_payment_that_failed_before_its_release_is_no_finding(purse: Purse) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    payment(purse).fail()

    assert (found(purse, minutes=120), purse.rows("select 1 from wallet.released_payment")) == (set(), [])


def test_released_payment_leaves_its_order_to_who_reports_it(purse: Purse) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    purse.do("cancel_hold", "30.00", hold_id=purse.value("select hold_id::text from wallet.hold"))
    assert found(purse, minutes=61) == {"released_payment_unreported"}

    purse.execute(
        "update wallet.payment_order set state = 'completed', state_at = clock_timestamp(), source = 'import:till'"
    )

    assert found(purse, minutes=62) == {"completed_order_unpaid"}


def test_second_payment_pays_the_order_of_a_released_one(purse: Purse) -> None:
    released(purse)

    pay(purse, "again")

    assert found(purse, minutes=61) == {"released_payment_unreported"}, "the first may have been another part of it"
    payment(purse).fail()
    assert (found(purse, minutes=62), purse.balance) == (set(), Decimal("70.00"))


def test_hold_released_after_the_order_is_paid_by_another(purse: Purse) -> None:
    begun = payment(purse)
    with begun.locked():
        begun.begin()
    pay(purse, "again")

    purse.do(
        "cancel_hold", "30.00", hold_id=purse.value("select hold_id::text from wallet.hold where closed_at is null")
    )

    assert found(purse, minutes=61) == {"released_payment_unreported"}


@pytest.mark.parametrize(
    ("amount", "rules"), [("30.00", set()), ("60.00", {"completed_order_unpaid"})], ids=["one part", "two parts"]
)
def test_order_of_known_amount_shows_whether_a_part_lacks(purse: Purse, amount: str, rules: set[str]) -> None:
    say_that_the_order_is_open(purse, amount)
    released(purse)

    pay(purse, "again")

    assert found(purse, minutes=61) == rules


def test_amount_that_others_reported_outlasts_our_own_report(purse: Purse) -> None:
    say_that_the_order_is_open(purse, "60.00")
    pay(purse, "part 1")
    begun = payment(purse, "part 2")
    with begun.locked():
        begun.begin()
    purse.set_balance("0.00")
    with pytest.raises(PaymentRefused):
        begun.complete()

    expected, unpaid = purse.rows("select expected, unpaid from wallet.order_balance")[0]
    assert (expected, unpaid) == (Decimal("60.00"), Decimal("30.00"))
    assert found(purse, minutes=61) == {"completed_order_unpaid"}


@pytest.mark.parametrize("step", ["chargeoff planned", "cancel_hold planned"])
def test_paid_payment_leaves_nothing_planned(purse: Purse, step: str) -> None:
    """Its process died before a call that is never needed: a release gave the hold back meanwhile."""
    with pytest.raises(Died), payment(purse, step=die_at(step)):
        pass
    assert purse.value("select count(*) from wallet.operation_state where state = 'planned'") == 1
    release_hold(purse)

    pay(purse, "")

    assert purse.balance == Decimal("70.00")
    assert purse.rows("select kind, evidence ->> 'reason' from wallet.operation_state where state = 'rejected'") == [
        (step.removesuffix(" planned"), "dropped")
    ]
    assert found(purse, minutes=3 * 24 * 60) == set()
