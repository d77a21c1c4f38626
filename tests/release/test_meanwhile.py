"""What happens to a hold between the question and its cancellation is found out by evidence, or said to be missing."""

import os
import signal
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest

from fixtures.releases import STEPS, Releasing
from fixtures.wallets import in_another_process
from syrve.api.errors import SyrveError
from syrve.wallet.errors import PaymentUnsettled
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.operations import Kind
from syrve_simulator.control import SimulatorRefusedError

FULL, FREED_BEFORE = Decimal("100.00"), Decimal("70.00")


def test_hold_that_a_till_consumed_after_approval_is_refused_by_the_report(cloud: Releasing) -> None:
    hold_id = cloud.dangling()
    request_id = cloud.approved()
    cloud.till_consumes(hold_id)

    counts = cloud.release(request_id)

    assert (counts.changed, counts.rejected) == (0, 1)
    assert (cloud.purse.holds, cloud.purse.balance) == (["consumed"], FREED_BEFORE)
    state, evidence = cloud.outcome(hold_id)
    assert (state, evidence["reason"], evidence["refusal"]) == (
        "refused",
        "the hold was consumed first",
        "Transaction_AlreadyConsumed",
    )
    assert cloud.purse.value("select closed_by from wallet.hold") == "consumed"
    assert cloud.finding(hold_id) == ("open", False), "whether the guest paid twice is for reconciliation to say"


def test_hold_that_a_till_consumed_after_approval_stays_where_nothing_shows_it(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.till_consumes(hold_id)

    for _ in range(2):
        with pytest.raises(PaymentUnsettled):
            reference.release(request_id)

    assert (reference.purse.holds, reference.purse.balance, reference.cancels) == (["consumed"], FREED_BEFORE, 1)
    state, evidence = reference.outcome(hold_id)
    assert state == "unsettled"
    assert evidence["missing"].startswith("Syrve refuses to cancel the hold (Transaction_AlreadyConsumed)")
    assert reference.finding(hold_id) == ("open", False)
    assert reference.versions(hold_id)[-1] == ("open", f"release: {evidence['missing']}")
    assert len(reference.versions(hold_id)) == 2, "the same news is not written twice"


def release_while_a_till_consumes(
    releasing: Releasing, *, shows_held_money: bool, answer: Literal["error", "ok"]
) -> str:
    """Release a hold that a till consumes while the call is under way; returns it, with its money moved once."""
    control = releasing.purse.simulator.control
    control.set_switches(balance_shows_held_money=shows_held_money, consumed_cancel=answer)
    hold_id = releasing.dangling()
    request_id = releasing.approved()

    def consume(step: str) -> None:
        if step == "cancel_hold sent":
            releasing.till_consumes(hold_id)

    try:
        releasing.release(request_id, step=consume)
    except PaymentUnsettled:
        assert releasing.outcome(hold_id)[0] == "unsettled"

    assert (releasing.purse.holds, releasing.purse.balance, releasing.cancels) == (["consumed"], FREED_BEFORE, 1)
    return hold_id


@pytest.mark.parametrize("shows_held_money", [False, True])
def test_hold_consumed_during_the_call_stays_if_refused(releasing: Releasing, shows_held_money: bool) -> None:
    hold_id = release_while_a_till_consumes(releasing, shows_held_money=shows_held_money, answer="error")

    state, evidence = releasing.outcome(hold_id)
    shown_by_the_report = {("cloud", False): "refused"}
    assert state == shown_by_the_report.get((releasing.purse.config.dialect, shows_held_money), "unsettled")
    assert releasing.finding(hold_id) == ("open", False)
    assert evidence["refusal"] == "Transaction_AlreadyConsumed"


def test_hold_consumed_during_the_call_stays_if_balance_fell(releasing: Releasing) -> None:
    hold_id = release_while_a_till_consumes(releasing, shows_held_money=True, answer="ok")

    _, evidence = releasing.outcome(hold_id)
    assert evidence["missing"].endswith("the balance fell by the amount: a till may have consumed the hold")
    assert releasing.finding(hold_id) == ("open", False)


def test_hold_consumed_during_the_call_stays_if_nothing_came_back(releasing: Releasing) -> None:
    hold_id = release_while_a_till_consumes(releasing, shows_held_money=False, answer="ok")

    state, evidence = releasing.outcome(hold_id)
    assert (state, evidence["balance_did_not_rise"]) == ("unsettled", "30.00")
    assert releasing.finding(hold_id) == ("open", False)


def test_confirmation_that_the_balance_contradicts_is_not_believed_later_either(reference: Releasing) -> None:
    reference.purse.simulator.control.set_switches(balance_shows_held_money=True, consumed_cancel="ok")
    hold_id = reference.dangling()
    request_id = reference.approved()
    steps = {"cancel_hold sent": lambda: reference.till_consumes(hold_id)}
    with pytest.raises(PaymentUnsettled):
        reference.release(request_id, step=lambda name: steps.get(name, lambda: None)())

    with pytest.raises(PaymentUnsettled):
        reference.release(request_id, settings=WalletSettings(balance_window_seconds=0))

    assert reference.book().catch_up() == 0
    assert reference.finding(hold_id) == ("open", False)


def test_hold_that_somebody_cancelled_is_released_by_the_report(cloud: Releasing) -> None:
    hold_id = cloud.dangling()
    request_id = cloud.approved()
    cloud.cancelled_elsewhere(hold_id)

    cloud.release(request_id)

    state, evidence = cloud.outcome(hold_id)
    assert (state, evidence["refusal"]) == ("released", "Transaction_AlreadyCancelled")
    assert cloud.finding(hold_id) == ("released", True)


def test_already_cancelled_is_not_believed_without_evidence(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.cancelled_elsewhere(hold_id)

    with pytest.raises(PaymentUnsettled):
        reference.release(request_id)

    assert reference.outcome(hold_id)[1]["refusal"] == "Transaction_AlreadyCancelled"
    assert reference.finding(hold_id) == ("open", False)
    assert reference.purse.open_in_ledger() == 1


@pytest.mark.parametrize(
    ("kind", "state", "closed"), [("cancel_hold", "released", True), ("chargeoff", "refused", False)]
)
def test_evidence_that_arrives_afterwards_ends_the_release(
    reference: Releasing, kind: Kind, state: str, closed: bool
) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()
    reference.cancelled_elsewhere(hold_id)
    with pytest.raises(PaymentUnsettled):
        reference.release(request_id)
    assert reference.book().catch_up() == 0
    told = reference.purse.operation(
        kind, "30.00", hold_id=hold_id, consumes_hold=kind == "chargeoff", source="import:till"
    )
    reference.purse.ledger.observe(told, "confirmed", {"reason": "reported"})

    assert reference.book().catch_up() == 1
    assert reference.book().catch_up() == 0

    assert (reference.outcome(hold_id)[0], reference.finding(hold_id)[1]) == (state, closed)
    assert "missing" not in reference.outcome(hold_id)[1]


def test_cancellation_by_somebody_else_at_the_same_moment_shows_in_the_balance(reference: Releasing) -> None:
    hold_id = reference.dangling()
    request_id = reference.approved()

    def cancel(step: str) -> None:
        if step == "cancel_hold sent":
            reference.cancelled_elsewhere(hold_id)

    reference.release(request_id, step=cancel)

    assert reference.finding(hold_id) == ("released", True)
    assert reference.purse.value("select closed_by from wallet.hold") == "cancelled"


def test_unknown_hold_is_not_believed_to_be_over(releasing: Releasing) -> None:
    purse = releasing.purse
    unknown = purse.ledger.observe(
        purse.operation("hold", "30.00", operation_id="5f4e0006-0000-4000-8000-000000000001"), "confirmed", {}
    )
    releasing.find(unknown.operation_id)

    with pytest.raises(PaymentUnsettled):
        releasing.release(releasing.approved())

    state, evidence = releasing.outcome(unknown.operation_id)
    assert (state, evidence["refusal"]) == ("unsettled", "Transaction_TransactionNotFound")
    assert releasing.finding(unknown.operation_id) == ("open", False)


def test_hold_of_which_nobody_knows_whether_it_was_made_is_released_where_it_was(cloud: Releasing) -> None:
    control = cloud.purse.simulator.control
    control.set_switches(hold_transaction_type=None, balance_shows_held_money=True)
    control.set_faults([{"operation": "wallet_hold", "fault": "reset_after", "count": 1}])
    hold_id = cloud.dangling(rule="hold_outcome_unknown")
    assert cloud.plan().holds == 0, "not by default"

    cloud.release(cloud.approved("run-b", rules=["hold_outcome_unknown"]))

    assert (cloud.purse.holds, cloud.finding(hold_id)) == (["cancelled"], ("released", True))


def test_hold_that_turns_out_never_to_have_been_made_is_refused(cloud: Releasing) -> None:
    cloud.purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "reset_before", "count": 1}])
    hold_id = cloud.dangling(rule="hold_outcome_unknown")
    request_id = cloud.approved(rules=["hold_outcome_unknown"])
    cloud.purse.execute(
        "insert into wallet.operation_event (operation_id, sequence, state, evidence, basis) "
        "values (%s, 4, 'rejected', '{\"reason\": \"seen\"}', 'report')",
        hold_id,
    )

    cloud.release(request_id)

    assert cloud.outcome(hold_id) == ("refused", {"reason": "the hold was rejected since it was shown"})
    assert cloud.cancels == 0


def test_trouble_with_one_hold_does_not_keep_the_others(reference: Releasing) -> None:
    spoiled, fine = reference.dangling("10.00"), reference.dangling("20.00")
    request_id = reference.approved()
    reference.cancelled_elsewhere(spoiled)

    with pytest.raises(PaymentUnsettled, match="1 hold"):
        reference.release(request_id)

    assert reference.finding(fine) == ("released", True)
    assert reference.finding(spoiled) == ("open", False)
    counts: Any = reference.purse.rows("select requested, changed, failed from sync.run where task = 'dag.release'")
    assert counts == [(2, 1, 1)]


FAULTS = ("reset_before", "reset_after", "truncate", "rate_limit", "status")
SEEDS = 5


@pytest.mark.parametrize("seed", range(SEEDS))
def test_faults_kills_and_tills_in_any_order_release_nothing_twice_and_claim_nothing_false(
    releasing: Releasing, seed: int, tmp_path: Path
) -> None:
    chance = Random(f"{seed} {releasing.purse.config.dialect}")
    control = releasing.purse.simulator.control
    control.set_switches(
        balance_shows_held_money=chance.random() < 0.5,
        consumed_cancel=chance.choice(["error", "ok"]),
        second_cancel=chance.choice(["error", "ok"]),
    )
    hold_ids = [releasing.dangling(f"{amount}.00") for amount in (10, 11, 12)]
    target = chance.choice(hold_ids)
    request_id = releasing.approved()
    control.set_faults([{"operation": "wallet_cancel_hold", "fault": chance.choice(FAULTS), "probability": 0.4}])
    hits = {chance.choice(STEPS): chance.choice(["kill", "consume", "cancel"]) for _ in range(2)}
    others = tmp_path / "others"
    others.touch()

    def step(name: str) -> None:
        with suppress(SimulatorRefusedError, SyrveError):  # what is over can't end again
            match hits.pop(name, None):
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "consume":
                    releasing.till_consumes(target)
                case "cancel":
                    others.write_text(others.read_text() + "x")
                    releasing.cancelled_elsewhere(target)

    in_another_process(lambda: releasing.release(request_id, step=step))
    for _ in range(2):
        in_another_process(lambda: releasing.release(request_id))

    truth = {each["transaction_id"]: each["state"] for each in control.holds(customer_id=releasing.purse.customer_id)}
    sent = releasing.purse.value(
        "select count(*) from wallet.operation_event inner join wallet.operation using (operation_id) "
        "where state = 'sent' and source = 'release'"
    )
    assert releasing.cancels - len(others.read_text()) <= sent
    assert sent <= releasing.purse.value("select count(*) from wallet.operation where source = 'release'")
    for hold_id in hold_ids:
        state, (status, is_closed) = releasing.outcome(hold_id)[0], releasing.finding(hold_id)
        assert state in ("approved", "released", "refused", "unsettled")
        assert is_closed == (status == "released") == (state == "released")
        assert not (is_closed and truth[releasing.transaction_id(hold_id)] == "open"), "released, it says, and is not"
    was_consumed = truth[releasing.transaction_id(target)] == "consumed"
    taken = releasing.purse.value("select amount from wallet.hold where hold_id = %s", target) if was_consumed else 0
    assert releasing.purse.balance == FULL - taken
