"""What a person is asked about, how it is pinned, and what an answer means."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.releases import Releasing
from fixtures.wallets import Purse
from syrve.release.choosing import ReleaseChoice
from syrve.release.errors import AnswerUnclear
from syrve.release.policy import RULES
from syrve.release.question import (
    FIXED_OPTIONS,
    KEEP_REST,
    RELEASE_ALL,
    RELEASE_NONE,
    ShownHold,
    body,
    format_age,
    options,
    read_answer,
)
from syrve.wallet.errors import WalletError
from syrve.wallet.operations import OperationState
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseConfigError


@pytest.fixture
def releasing(reference_purse: Purse) -> Releasing:
    return Releasing(reference_purse)


def held(releasing: Releasing, amount: str = "30.00", age: str = "2 days", **fields: Any) -> OperationState:
    """Take in a hold that a till made some time ago."""
    purse = releasing.purse
    (moment,) = purse.rows("select now() - %s::interval", age)[0]
    fields = {"operation_id": str(uuid4()), "requested_at": moment} | fields
    return purse.ledger.observe(purse.operation("hold", amount, **fields), "confirmed", {"reason": "reported"})


def found(releasing: Releasing, amount: str = "30.00", rule: str = "charged_hold_open", **fields: Any) -> str:
    """Take in such a hold with a finding about it; returns its id."""
    severity = fields.pop("severity", "high")
    hold_id = held(releasing, amount, **fields).operation_id
    releasing.find(hold_id, amount, rule, severity)
    return hold_id


def test_holds_are_chosen_by_rule_severity_age_and_organization(releasing: Releasing) -> None:
    wanted = found(releasing)
    found(releasing, rule="stale_hold")
    found(releasing, severity="low")
    found(releasing, age="59 minutes")
    mine, other = releasing.purse.organization_id, str(uuid4())
    by_default = {"min_severity": "medium", "min_age_minutes": 60}

    assert releasing.plan("run-a", dry_run=True, **by_default).hold_ids == [wanted]
    assert releasing.plan("run-b", dry_run=True, organization_ids=[mine], **by_default).hold_ids == [wanted]
    assert releasing.plan("run-c", dry_run=True, organization_ids=[other], **by_default).holds == 0
    assert releasing.plan("run-d", dry_run=True, rules=RULES).holds == 4


def test_gravest_and_oldest_come_first_and_limits_leave_the_rest_to_another_run(releasing: Releasing) -> None:
    high = found(releasing, "10.00", severity="high")
    old = found(releasing, "20.00", severity="critical", age="9 days")
    young = found(releasing, "40.00", severity="critical", age="1 day")

    assert releasing.plan(dry_run=True).hold_ids == [old, young, high]
    two = releasing.plan(dry_run=True, max_holds=2)
    assert (two.hold_ids, two.amount, two.left_out) == ([old, young], "60.00", 1)
    money = releasing.plan(dry_run=True, max_amount=Decimal("30.00"))
    assert (money.hold_ids, money.left_out) == ([old, high], 1)


def test_dry_run_tells_the_same_and_writes_nothing(releasing: Releasing) -> None:
    found(releasing)

    dry = releasing.plan(dry_run=True)
    written = releasing.purse.value("select count(*) from wallet.release")
    plan = releasing.plan()

    assert (dry.request_id, written) == (None, 0)
    assert (dry.hold_ids, dry.amount) == (plan.hold_ids, plan.amount)
    assert plan.request_id is not None


def test_hold_with_several_findings_is_shown_once_with_all_of_them(releasing: Releasing) -> None:
    hold_id = found(releasing, rule="charged_hold_open", severity="critical")
    releasing.find(hold_id, rule="duplicate_hold", severity="high")

    plan = releasing.plan(rules=RULES)

    (asked,) = releasing.book().holds(str(plan.request_id))
    assert (asked.shown.rules, asked.shown.severity) == (("charged_hold_open", "duplicate_hold"), "critical")
    releasing.answer(plan, KEEP_REST)
    assert releasing.purse.rows("select distinct status from wallet.finding") == [("acknowledged",)]


def test_hold_that_is_being_asked_about_is_left_out_until_the_time_for_an_answer_is_over(releasing: Releasing) -> None:
    hold_id = found(releasing)
    releasing.plan("run-a")

    second = releasing.plan("run-b")
    assert (second.holds, second.request_id) == (0, None)
    assert second.not_offered == {"another run is at the hold": 1}
    releasing.purse.execute("update wallet.release set answer_until = now()")

    assert releasing.plan("run-c").hold_ids == [hold_id]


def test_run_that_plans_again_takes_its_question_back(releasing: Releasing) -> None:
    hold_id = found(releasing)
    first = releasing.plan()

    second = releasing.plan()
    releasing.answer(first, RELEASE_ALL)

    assert second.hold_ids == [hold_id]
    assert releasing.states(hold_id) == ["asked", "withdrawn", "asked"], "an answer to the first does not count"


def test_two_runs_at_once_do_not_ask_about_the_same_hold(releasing: Releasing) -> None:
    for _ in range(3):
        found(releasing)
    plans: list[Any] = []

    threads = [Thread(target=lambda each=each: plans.append(releasing.plan(f"run-{each}"))) for each in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(plan.holds for plan in plans) == [0, 0, 3]


def test_findings_named_by_hand_say_why_they_can_not_be_offered(releasing: Releasing) -> None:
    purse = releasing.purse
    fine = found(releasing, rule="stale_hold", severity="low", age="1 minute")
    found(releasing, rule="charge_without_hold")
    closed, over, unknown = found(releasing), found(releasing), found(releasing)
    purse.execute("update wallet.finding set status = 'resolved', resolved_at = now() where hold_id = %s", closed)
    purse.execute("update wallet.hold set closed_at = now(), closed_by = 'consumed' where hold_id = %s", over)
    purse.execute("update wallet.hold set transaction_id = null where hold_id = %s", unknown)
    releasing.find(str(uuid4()))
    nobody = str(uuid4())

    plan = releasing.plan(finding_ids=[*releasing.findings, nobody])

    assert plan.hold_ids == [fine]
    assert plan.not_offered == {
        "findings of this rule name no hold that could be released": 1,
        "the finding is closed": 1,
        "the hold is over: consumed": 1,
        "Syrve's id of the hold is not known": 1,
        "the finding names no hold of the ledger": 1,
        "there is no such finding": 1,
    }
    other = releasing.plan("run-b", finding_ids=releasing.findings[:1], organization_ids=[nobody])
    assert other.not_offered == {"the finding belongs to another organization": 1}


@pytest.mark.parametrize(
    "choice",
    [{"rules": ["cancel_outcome_unknown"]}, {"min_severity": "mild"}, {"max_holds": 0}, {"max_holds": 101}],
)
def test_choice_that_makes_no_sense_is_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rule|severity|number"):
        ReleaseChoice(**choice)


def test_question_that_does_not_exist_is_told(releasing: Releasing) -> None:
    with pytest.raises(WalletError, match="run the plan again"):
        releasing.book().holds(str(uuid4()))


def test_decision_stands_whatever_is_answered_later(releasing: Releasing) -> None:
    hold_id = found(releasing)
    plan = releasing.plan()

    releasing.answer(plan, RELEASE_NONE)
    releasing.answer(plan, RELEASE_ALL)

    assert releasing.states(hold_id) == ["asked", "left"]


# The question itself.


DIGEST = "0123456789abcdef" * 4


def shown(count: int) -> list[ShownHold]:
    return [
        ShownHold(
            release_id=f"release-{place}",
            place=place,
            hold_id=f"5f4e0007-0000-4000-8000-{place:012}",
            organization_id="5f4e0001-0000-4000-8000-000000000001",
            amount=Decimal("30.00"),
            order_state=None,
            rules=("stale_hold",),
            severity="high",
            age=timedelta(hours=75),
        )
        for place in range(1, count + 1)
    ]


def test_question_names_every_hold_with_its_amount_age_rule_and_severity() -> None:
    (hold,) = shown(1)

    assert options([hold], DIGEST) == [
        f"{RELEASE_ALL} [0123456789ab]",
        RELEASE_NONE,
        f"1. Release 30.00, stale_hold, hold {hold.hold_id} [0123456789ab]",
        f"{KEEP_REST} [0123456789ab]",
    ]
    assert f"| 1 | 30.00 | 3 d | high | stale_hold | not known | {hold.hold_id} |" in body([hold])


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=-1), "0 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(minutes=120), "2 h"),
        (timedelta(hours=71), "71 h"),
        (timedelta(hours=72), "3 d"),
    ],
)
def test_age_is_told_in_a_fitting_unit(age: timedelta, told: str) -> None:
    assert format_age(age) == told


@given(data=st.data(), count=st.integers(1, 6))
def test_every_hold_has_one_decision_and_only_what_was_named_is_approved(data: st.DataObject, count: int) -> None:
    holds = shown(count)
    tagged = data.draw(st.sets(st.sampled_from(options(holds, DIGEST)), min_size=1))
    chosen = {each.removesuffix(" [0123456789ab]") for each in tagged}
    named = {each.release_id for each in holds if each.option in chosen}
    try:
        decision = read_answer(holds, tagged)
    except AnswerUnclear:
        assert RELEASE_NONE in chosen
        assert named or RELEASE_ALL in chosen
        return

    everything = {each.release_id for each in holds}
    assert decision.approved == (everything if RELEASE_ALL in chosen else named)
    assert sorted([*decision.approved, *decision.kept, *decision.left]) == sorted(everything)
    assert not (decision.kept and decision.left)
    assert bool(decision.kept) == (KEEP_REST in chosen and decision.approved != everything)


def test_option_of_another_question_is_refused() -> None:
    with pytest.raises(AnswerUnclear, match="not in this question"):
        read_answer(shown(1), [shown(2)[1].option])


def test_fixed_options_can_not_be_taken_for_holds() -> None:
    assert not set(FIXED_OPTIONS) & {each.option for each in shown(3)}


# Rights.


def test_loader_plans_decides_and_records_and_alters_nothing(
    releasing: Releasing, make_login: Callable[[str], str]
) -> None:
    hold_id = releasing.dangling()
    purse = releasing.purse
    purse.warehouse = Warehouse(purse.warehouse.url.set(username=make_login("syrve_loader")))

    releasing.release(releasing.approved())

    assert releasing.finding(hold_id) == ("released", True)
    for statement in (
        "update wallet.release set amount = 1",
        "delete from wallet.release",
        "update wallet.release_event set state = 'approved'",
        "delete from wallet.release_event",
    ):
        with pytest.raises(WarehouseConfigError, match="42501"):
            purse.execute(statement)


def test_ops_reads_what_was_released_and_decides_nothing_there(
    releasing: Releasing, make_login: Callable[[str], str]
) -> None:
    found(releasing)
    releasing.plan()
    ops = Warehouse(releasing.purse.warehouse.url.set(username=make_login("syrve_ops")))

    with ops.transaction("look") as cursor:
        cursor.execute("select state from wallet.release_state")
        assert cursor.fetchall() == [("asked",)]
    insert = "insert into wallet.release_event (release_id, sequence, state) select release_id, 2, 'approved' from wallet.release"
    with pytest.raises(WarehouseConfigError, match="42501"), ops.transaction("approve") as cursor:
        cursor.execute(insert)
