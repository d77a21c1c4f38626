"""No money call is sent twice for one operation, whatever happens to it; the outcome is in the ledger, or it says that nobody knows."""

import os
import signal
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from fixtures.wallets import OPERATIONS, Purse, in_another_process, killed_at, start_process, wait_for
from syrve.api.errors import ConnectionFailed
from syrve.wallet.money_settings import WalletSettings
from syrve.wallet.operations import KINDS, Kind, marked_operations
from syrve.warehouse.errors import WarehouseUnavailable

CALLS = dict(zip(("hold", "cancel_hold", "topup", "chargeoff"), OPERATIONS, strict=True))
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "500": ({"fault": "status", "status": 500}, "unknown"),
    "503": ({"fault": "status", "status": 503}, "unknown"),
    "408 but carried out": ({"fault": "status", "status": 408, "applied": True}, "unknown"),
    "500 but carried out": ({"fault": "status", "status": 500, "applied": True}, "unknown"),
    "400 without a code": ({"fault": "status", "status": 400}, "unknown"),
    "400 without a code but carried out": ({"fault": "status", "status": 400, "applied": True}, "unknown"),
    "500 inside a 200 but carried out": (
        {"fault": "status", "status": 200, "applied": True, "body": {"httpStatusCode": 500, "message": "failed"}},
        "unknown",
    ),
    "refused": ({"fault": "status", "status": 400, "body": {"errorCode": "Wallet_NotEnoughMoney"}}, "rejected"),
    "redirect": ({"fault": "status", "status": 302, "body": "moved"}, "rejected"),
    "web page": ({"fault": "status", "status": 404, "body": "<html>maintenance</html>"}, "rejected"),
    "loyalty off": ({"fault": "status", "status": 400, "body": {"code": "Transport_WrongCrmId"}}, "rejected"),
    "401": ({"fault": "status", "status": 401}, "rejected"),
    "403": ({"fault": "status", "status": 403}, "rejected"),
    "429": ({"fault": "rate_limit"}, "rejected"),
    "stall": ({"fault": "stall", "stall_seconds": 2}, "unknown"),
    "reset before": ({"fault": "reset_before"}, "unknown"),
    "reset after": ({"fault": "reset_after"}, "unknown"),
    "cut short": ({"fault": "truncate"}, "unknown"),
    "no JSON": ({"fault": "not_json"}, "unknown"),
    "no JSON but carried out": ({"fault": "not_json", "applied": True}, "unknown"),
}
STEPS = ("sent", "called", "recorded")
DELTAS: dict[Kind, Decimal] = {
    "hold": Decimal(0),
    "cancel_hold": Decimal(0),
    "topup": Decimal("10.00"),
    "chargeoff": Decimal("-10.00"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_operation_is_carried_out_and_confirmed(purse: Purse, kind: Kind) -> None:
    planned = purse.plan_any(kind)
    before = purse.received

    done = purse.money().execute(planned.operation_id)

    assert done.state == "confirmed"
    assert purse.states(planned.operation_id) == ["planned", "sent", "confirmed"]
    assert purse.received - before == Counter({CALLS[kind]: 1})
    assert purse.balance == Decimal("100.00") + DELTAS[kind]
    assert purse.holds == {"hold": ["open"], "cancel_hold": ["cancelled"]}.get(kind, [])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_makes_a_money_call_go_out_twice(purse: Purse, kind: Kind, fault: str) -> None:
    rule, expected = FAULTS[fault]
    planned = purse.plan_any(kind)
    before = purse.received
    purse.simulator.control.set_faults([{"operation": CALLS[kind], **rule}])
    money = purse.money(config={"timeout_seconds": 0.3} if fault == "stall" else {})

    ended = [money.execute(planned.operation_id).state for _ in range(2)]
    purse.simulator.control.clear_faults()
    ended.append(money.execute(planned.operation_id).state)

    assert ended == [expected] * 3
    assert purse.received - before == Counter({CALLS[kind]: 1})


def test_call_that_never_left_is_rejected_and_a_new_attempt_is_safe(purse: Purse) -> None:
    planned = purse.plan("topup")
    nowhere = {"base_url": "http://127.0.0.1:9", "call_deadline_seconds": 0.01}
    money = purse.money(settings=WalletSettings(reads_balance=False), config=nowhere)

    done = money.execute(planned.operation_id)

    assert (done.state, done.evidence["reason"], done.may_be_tried_again) == ("rejected", "not_sent", True)
    assert purse.received == Counter()


def test_operation_stays_planned_where_the_balance_can_not_be_read_first(purse: Purse) -> None:
    planned = purse.plan("topup")

    with pytest.raises(ConnectionFailed):
        purse.money(config={"base_url": "http://127.0.0.1:9", "call_deadline_seconds": 0.01}).execute(
            planned.operation_id
        )

    assert purse.states(planned.operation_id) == ["planned"]
    assert purse.money().execute(planned.operation_id).state == "confirmed"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_process_leaves_a_call_that_is_never_repeated(purse: Purse, kind: Kind, step: str) -> None:
    planned = purse.plan_any(kind)
    before = purse.received
    work = lambda: purse.money(step=killed_at(f"{kind} {step}")).execute(planned.operation_id)  # noqa: E731

    assert in_another_process(work) == -signal.SIGKILL
    ended = [purse.money().execute(planned.operation_id) for _ in range(2)][-1]

    assert ended.state == ("confirmed" if step == "recorded" else "unknown")
    assert purse.received - before == Counter({CALLS[kind]: 0 if step == "sent" else 1}) + Counter()


def test_processes_at_the_same_operation_at_once_send_it_once(purse: Purse) -> None:
    planned = purse.plan("topup")
    purse.simulator.control.set_switches(latency_ms=150)
    work = lambda: os._exit(0 if purse.money().execute(planned.operation_id).state == "confirmed" else 3)  # noqa: E731

    ended = [wait_for(each) for each in [start_process(work) for _ in range(4)]]
    purse.simulator.control.set_switches(latency_ms=0)

    assert ended == [0, 0, 0, 0], "all of them learn the outcome"
    assert purse.received == Counter({"wallet_topup": 1})
    assert purse.states(planned.operation_id) == ["planned", "sent", "confirmed"]


def test_two_processes_planning_the_same_key_send_it_once(purse: Purse) -> None:
    def work() -> None:
        purse.money().execute(purse.plan("topup", key="campaign row 7").operation_id)

    assert [wait_for(each) for each in [start_process(work) for _ in range(4)]] == [0, 0, 0, 0]
    assert purse.moved == [Decimal("10.00")]


def test_dropped_operation_is_never_sent(purse: Purse) -> None:
    planned = purse.plan("topup")

    assert purse.ledger.drop(planned.operation_id, "not approved").state == "rejected"
    assert purse.money().execute(planned.operation_id).state == "rejected"
    assert purse.received == Counter()


def test_what_others_did_is_never_sent(purse: Purse) -> None:
    told = purse.ledger.observe(purse.operation("topup"), "sent", {})

    assert purse.money().execute(told.operation_id).state == "unknown"
    assert purse.received == Counter()


def test_outcome_is_written_although_the_warehouse_was_away(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = purse.plan("topup")
    money = purse.money(sleep=lambda seconds: None)
    record, failures = money.ledger.record, iter([True, True])

    def flaky(operation: Any, state: Any, evidence: Any, **options: Any) -> Any:
        if state == "confirmed" and next(failures, False):
            raise WarehouseUnavailable("away")
        return record(operation, state, evidence, **options)

    monkeypatch.setattr(money.ledger, "record", flaky)

    assert money.execute(planned.operation_id).state == "confirmed"


def test_own_answer_settles_what_another_process_took_for_dead(purse: Purse) -> None:
    planned = purse.plan("topup")

    def taken_for_dead(step: str) -> None:
        if step == "topup called":
            purse.ledger.record(purse.ledger.state(planned.operation_id), "unknown", {"reason": "sender_died"})

    assert purse.money(step=taken_for_dead).execute(planned.operation_id).state == "confirmed"
    assert purse.states(planned.operation_id) == ["planned", "sent", "unknown", "confirmed"]


def test_hold_is_sent_under_its_own_id_where_the_service_takes_one(cloud_purse: Purse) -> None:
    done = cloud_purse.do("hold")

    (hold,) = cloud_purse.simulator.control.holds(customer_id=cloud_purse.customer_id)
    assert hold["transaction_id"] == done.operation_id == done.evidence["transaction_id"]
    assert marked_operations(hold["comment"]) == [done.operation_id]


def test_hold_is_known_by_the_id_of_the_answer_where_it_takes_none(reference_purse: Purse) -> None:
    done = reference_purse.do("hold")

    (hold,) = reference_purse.simulator.control.holds(customer_id=reference_purse.customer_id)
    assert hold["transaction_id"] == done.evidence["transaction_id"] != done.operation_id
    assert reference_purse.do("cancel_hold", hold_id=done.operation_id).state == "confirmed"
    assert reference_purse.holds == ["cancelled"]


def test_hold_whose_id_nobody_knows_can_not_be_cancelled_and_nothing_is_sent(reference_purse: Purse) -> None:
    reference_purse.simulator.control.set_faults([{"operation": "wallet_hold", "fault": "reset_after", "count": 1}])
    hold = reference_purse.do("hold")

    cancelled = reference_purse.do("cancel_hold", hold_id=hold.operation_id)

    assert (cancelled.state, cancelled.evidence) == ("rejected", {"reason": "hold_id_unknown"})
    assert reference_purse.received == Counter({"wallet_hold": 1})
    assert reference_purse.open_in_ledger() == 1


def test_call_whose_mark_failed_in_any_way_was_not_sent(purse: Purse) -> None:
    """What is asked right before the call may fail by an error of its storage that nobody foresaw."""

    def fail() -> None:
        raise OSError("the storage is gone")

    planned = purse.plan("topup")

    with pytest.raises(OSError, match="storage"):
        purse.money(before_call=fail).execute(planned.operation_id)

    assert purse.received == {}
    assert purse.states(planned.operation_id) == ["planned", "sent", "rejected"]
    assert purse.ledger.state(planned.operation_id).may_be_tried_again
