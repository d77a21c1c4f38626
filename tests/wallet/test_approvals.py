"""Approvals: whose count, how much a day, and what the database itself refuses."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from syrve.approvals.book import ApprovalBook, Content, RunOf
from syrve.approvals.errors import AnswerNotCounted, LimitExceeded, NotApproved
from syrve.approvals.rules import ApproverRules, MoneyLimits, User
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseError

BOSS = User("7", "Boss")
DIGEST = "ab" * 32
LIMITS = MoneyLimits(Decimal(10), Decimal(20), Decimal(30))


def content(subject: str = "campaign spring, version 1", amount: str = "15.00") -> Content:
    return Content("topup", subject, DIGEST, 3, Decimal(amount))


def book(warehouse: Warehouse, run: str = "run-1", requested_by: str = "asker") -> ApprovalBook:
    return ApprovalBook(warehouse, RunOf("dag", run, requested_by))


def planned(warehouse: Warehouse, run: str = "run-1", requested_by: str = "asker") -> ApprovalBook:
    one = book(warehouse, run, requested_by)
    one.plan(content())
    return one


@pytest.mark.parametrize(
    ("rules", "requested_by", "counts"),
    [
        (ApproverRules(), "asker", True),
        (ApproverRules(), "BOSS", False),
        (ApproverRules(), "B\u200boss ", False),
        (ApproverRules(), "\uff22\uff4f\uff53\uff53", False),
        (ApproverRules(), "7", False),
        (ApproverRules(), "", True),
        (ApproverRules(allows_self=True), "boss", True),
        (ApproverRules(("boss",)), "asker", True),
        (ApproverRules(("7", "maria")), "asker", True),
        (ApproverRules(("maria",)), "asker", False),
        (ApproverRules(("maria",), allows_self=True), "boss", False),
    ],
)
def test_approval_counts_from_whom_the_rules_name(rules: ApproverRules, requested_by: str, counts: bool) -> None:
    assert (rules.problem(BOSS, requested_by) is None) is counts


@pytest.mark.parametrize(
    ("user", "entry"),
    [
        (User("9", "bo ss"), "boss"),
        (User("9", "bo\u200bss"), "boss"),
        (User("9", "\uff42oss"), "boss"),
        (User("9", "bo\u017fs"), "boss"),
        (User("9", "7"), "7"),
        (User("9", "0b2f1a52-7a0e-4d3c-9a53-5b3f0a4a7c11"), "0b2f1a52-7a0e-4d3c-9a53-5b3f0a4a7c11"),
    ],
)
def test_nobody_approves_by_a_name_like_anothers(user: User, entry: str) -> None:
    assert ApproverRules((entry,)).problem(user, "asker") is not None


@pytest.mark.parametrize("kind", ["topup", "release", "breaker"])
def test_run_asks_only_about_what_it_planned_itself(warehouse: Warehouse, kind: Any) -> None:
    wanted = replace(content(), kind=kind)
    planned(warehouse, "run-1").plan(wanted)

    with pytest.raises(NotApproved, match="this run did not plan campaign spring, version 1 itself"):
        book(warehouse, "run-2").ask(wanted)
    with pytest.raises(NotApproved):
        book(warehouse).ask(replace(wanted, digest="cd" * 32))
    assert book(warehouse).ask(wanted).state == "asked"


def test_database_refuses_an_approval_by_who_asked(warehouse: Warehouse) -> None:
    one = planned(warehouse, requested_by="Boss")
    asked = one.ask(content())

    with pytest.raises(AnswerNotCounted):
        one.approve(content(), BOSS, ApproverRules())
    with (
        pytest.raises(WarehouseError, match=r"approval_takes_two_people|23514"),
        warehouse.transaction("forge an approval") as cursor,
    ):
        cursor.execute(
            "insert into sync.approval_event (approval_id, sequence, state, digest, requested_by, decided_by_id, decided_by) "
            "values (%s, 9, 'approved', %s, 'Boss', '7', 'boss')",
            (asked.approval_id, DIGEST),
        )
    with pytest.raises(WarehouseError), warehouse.transaction("forge who asked") as cursor:
        cursor.execute(
            "insert into sync.approval_event (approval_id, sequence, state, digest, requested_by, decided_by_id, decided_by) "
            "values (%s, 9, 'approved', %s, 'another', '7', 'boss')",
            (asked.approval_id, DIGEST),
        )
    assert one.approve(content(), BOSS, ApproverRules(allows_self=True)).state == "approved"


def test_answer_that_comes_late_does_not_count(warehouse: Warehouse) -> None:
    one = planned(warehouse)
    asked = one.ask(content(), answer_seconds=0)

    with pytest.raises(AnswerNotCounted, match="after the time"):
        one.approve(content(), BOSS, ApproverRules())
    with (
        pytest.raises(WarehouseError, match=r"approval_is_in_time|23514"),
        warehouse.transaction("approve late") as cursor,
    ):
        cursor.execute(
            "insert into sync.approval_event (approval_id, sequence, state, digest, requested_by, decided_by_id) "
            "values (%s, 9, 'approved', %s, 'asker', '7')",
            (asked.approval_id, DIGEST),
        )
    assert one.close(content(), "expired").state == "expired"


def test_question_is_answered_once(warehouse: Warehouse) -> None:
    one = planned(warehouse)
    one.ask(content())

    assert one.close(content(), "rejected", user=BOSS).state == "rejected"
    assert one.approve(content(), BOSS, ApproverRules()).state == "rejected"
    assert one.ask(content()).decided_by == "Boss"


def test_money_approved_within_a_day_is_bounded(warehouse: Warehouse) -> None:
    for run in ("run-1", "run-2", "run-3"):
        planned(warehouse, run).ask(content())
    book(warehouse).approve(content(), BOSS, ApproverRules(), limits=LIMITS)
    book(warehouse, "run-2").approve(content(), BOSS, ApproverRules(), limits=LIMITS)

    with pytest.raises(LimitExceeded, match=r"30\.00 of 30 are approved \(SYRVE_TOPUP_MAX_AMOUNT_PER_DAY\)"):
        book(warehouse, "run-3").approve(content(), BOSS, ApproverRules(), limits=LIMITS)

    assert book(warehouse, "run-3").ask(content()).state == "asked"
