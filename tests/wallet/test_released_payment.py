"""A payment whose hold was cancelled before its order was reported is a finding until somebody reports it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fixtures.wallets import Purse
from syrve.findings.reconcile import reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.errors import PaymentRefused
from syrve.wallet.payment import Payment, PaymentRequest


def payment(purse: Purse) -> Payment:
    whose = (purse.organization_id, purse.customer_id, purse.wallet_id)
    return Payment(purse.money(), PaymentRequest(*whose, Decimal("30.00"), "order-1"))


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
