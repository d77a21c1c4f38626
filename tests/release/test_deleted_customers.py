"""A customer who was deleted or merged in Syrve while money of theirs is set aside: the hold stays in sight until it is given back."""

from contextlib import suppress
from decimal import Decimal

import pytest

from fixtures.releases import Releasing
from syrve.api.errors import SyrveError
from syrve.release.errors import ReleaseIncomplete
from syrve.wallet.errors import PaymentUnsettled

OPEN = "select amount from wallet.open_hold"
UNKNOWN = {"code": "Transport_WrongCustomerId", "errorCode": "Customer_CustomerNotFound", "httpStatusCode": 400}


def lose_customer(releasing: Releasing, how: str) -> None:
    """Let Syrve delete the customer, and the mirror see it."""
    purse, control = releasing.purse, releasing.purse.simulator.control
    purse.add(id=[purse.customer_id])
    purse.pull()
    if how == "removed":
        control.remove_customer(purse.organization_id, purse.customer_id)
    else:
        control.change_customer(purse.organization_id, purse.customer_id, fields={"isDeleted": True})
    purse.make_due()
    purse.pull()
    assert purse.value("select is_deleted from syrve.customer where customer_id = %s", purse.customer_id)


@pytest.mark.parametrize("how", ["removed", "marked as deleted"])
def test_hold_of_a_deleted_customer_is_given_back(releasing: Releasing, how: str) -> None:
    hold_id = releasing.dangling()
    lose_customer(releasing, how)
    assert releasing.purse.rows(OPEN) == [(Decimal("30.00"),)]

    counts = releasing.release(releasing.approved())

    assert (counts.changed, counts.rejected) == (1, 0)
    assert releasing.finding(hold_id) == ("released", True)
    assert releasing.purse.rows(OPEN) == []


def test_hold_that_syrve_gives_nobody_back_stays_open(releasing: Releasing) -> None:
    """Syrve does not know the customer of a merged pair any more: nothing is said to be released."""
    hold_id = releasing.dangling()
    lose_customer(releasing, "removed")
    rule = {"operation": "wallet_cancel_hold", "fault": "status", "status": 400, "body": UNKNOWN}
    releasing.purse.simulator.control.set_faults([rule])

    with suppress(SyrveError, ReleaseIncomplete, PaymentUnsettled):
        assert releasing.release(releasing.approved()).changed == 0

    releasing.purse.simulator.control.clear_faults()
    status, is_closed = releasing.finding(hold_id)
    assert status != "released"
    assert not is_closed
    assert releasing.purse.rows(OPEN) == [(Decimal("30.00"),)]
