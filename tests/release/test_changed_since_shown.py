"""A hold that is not as it was shown when somebody approved it is not cancelled."""

import signal

import pytest

from fixtures.releases import Releasing
from fixtures.wallets import in_another_process, killed_at

CHANGES: dict[str, tuple[str, str]] = {
    "resolved": (
        "update wallet.finding set status = 'resolved', resolved_at = now()",
        "a finding that was shown no longer holds",
    ),
    "deleted": ("delete from wallet.finding", "a finding that was shown no longer holds"),
    "kept by another": (
        "update wallet.finding set status = 'acknowledged'",
        "a finding that was shown was acknowledged since it was shown",
    ),
    "order goes on": (
        "insert into wallet.payment_order select organization_id, order_id, 'open', 30, now() from wallet.hold",
        "the order is open, other than was shown",
    ),
    "another amount": ("update wallet.hold set amount = 31", "the hold is not as it was shown"),
    "another id": ("update wallet.hold set transaction_id = gen_random_uuid()", "the hold is not as it was shown"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_hold_that_is_not_as_it_was_shown_is_not_cancelled(reference: Releasing, case: str) -> None:
    statement, reason = CHANGES[case]
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.purse.execute(statement)

    counts = reference.release(request_id)

    assert (counts.rejected, reference.cancels, reference.purse.holds) == (1, 0, ["open"])
    assert reference.outcome(hold_id) == ("refused", {"reason": reason})


def test_hold_that_its_payment_gave_back_meanwhile_is_refused_without_a_call(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.purse.do("cancel_hold", "30.00", hold_id=hold_id)

    counts = reference.release(request_id)

    assert (counts.rejected, reference.cancels) == (1, 1)
    assert reference.outcome(hold_id) == ("refused", {"reason": "the hold was cancelled since it was shown"})


def test_cancellation_planned_before_the_hold_ended_is_dropped(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    killed = in_another_process(lambda: reference.release(request_id, step=killed_at("cancel_hold planned")))
    assert killed == -signal.SIGKILL
    reference.purse.do("cancel_hold", "30.00", hold_id=hold_id)

    reference.release(request_id)

    assert reference.cancels == 1
    assert reference.purse.value("select count(*) from wallet.unsettled_operation where settled_at is null") == 0
