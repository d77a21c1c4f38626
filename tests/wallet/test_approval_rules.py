"""Who may approve and how much, as plain rules: each at its limit and on both sides of it."""

from decimal import Decimal

import pytest

from syrve.approvals.rules import DAY_SECONDS, TAG_LENGTH, ApproverRules, MoneyLimits, User, tag

LIMITS = MoneyLimits(Decimal("10.00"), Decimal("20.00"), Decimal("30.00"))
CENT = Decimal("0.01")
ID = "0b2f1a52-7a0e-4d3c-9a53-5b3f0a4a7c11"


@pytest.mark.parametrize("amount", [Decimal(0), LIMITS.per_row - CENT, LIMITS.per_row])
def test_amount_up_to_the_limit_of_a_row_is_no_problem(amount: Decimal) -> None:
    assert LIMITS.row_problem(amount) is None


def test_amount_above_the_limit_of_a_row_names_both() -> None:
    assert LIMITS.row_problem(LIMITS.per_row + CENT) == (
        "10.01 is above the limit of one row, 10.00 (SYRVE_TOPUP_MAX_AMOUNT_PER_ROW)"
    )


def test_limit_of_a_run_is_its_own() -> None:
    assert LIMITS.run_problem(LIMITS.per_run) is None
    assert LIMITS.run_problem(LIMITS.per_run + CENT) == (
        "20.01 is above the limit of one run, 20.00 (SYRVE_TOPUP_MAX_AMOUNT_PER_RUN)"
    )


def test_limit_of_a_day_counts_what_was_approved() -> None:
    assert LIMITS.day_problem(Decimal(1), approved=Decimal(0)) is None
    assert LIMITS.day_problem(Decimal(10), approved=Decimal(20)) is None
    assert LIMITS.day_problem(Decimal(10), approved=Decimal(20) + CENT) == (
        "10 is above what is left of the limit of 24 hours: 20.01 of 30.00 are approved (SYRVE_TOPUP_MAX_AMOUNT_PER_DAY)"
    )


def test_limit_names_the_setting_that_it_came_from() -> None:
    limits = MoneyLimits(Decimal(1), Decimal(1), Decimal(1), name="SYRVE_RELEASE_MAX_AMOUNT")

    assert "(SYRVE_RELEASE_MAX_AMOUNT_PER_ROW)" in str(limits.row_problem(Decimal(2)))


def test_day_is_24_hours() -> None:
    assert DAY_SECONDS == 86_400


def test_tag_is_the_beginning_of_the_digest() -> None:
    assert tag("0123456789abcdef" * 4) == "[0123456789ab]"
    assert TAG_LENGTH == 12


@pytest.mark.parametrize(
    ("user", "entry", "is_listed"),
    [
        (User("7", "Maria"), "7", True),
        (User("7", "Maria"), "Maria", True),
        (User("7", "Maria"), "mARIA", True),
        (User("7", None), "Maria", False),
        (User("7", None), "", True),
        (User("maria", "Maria P."), "MARIA", True),
        (User("7", "Мария"), "Мария", True),
        (User("7", "Мария"), "мария", False),
        (User("8", "7"), "7", False),
        (User("8", ID), ID, False),
        (User("8", ID), ID.upper(), False),
        (User("8", ID), ID.replace("-", ""), False),
        (User(ID, "Maria"), ID.upper(), True),
        (User("8", "7a"), "7a", True),
        (User("8", f"x{ID}"), f"x{ID}", True),
    ],
)
def test_entry_of_a_list_means_one_user(user: User, entry: str, is_listed: bool) -> None:
    assert user.is_listed_as(entry) is is_listed


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        ("7", True),
        ("maria p.", True),
        ("MARIA\u00a0P.", True),
        ("Maria\u2060P.", True),
        ("maria", False),
        ("77", False),
    ],
)
def test_starter_is_recognised_under_a_disguise(name: str, may_be: bool) -> None:
    assert User("7", "Maria P.").may_be(name) is may_be


def test_user_without_a_name_is_not_every_user() -> None:
    assert User("7").may_be("7")
    assert not User("7").may_be("maria")


@pytest.mark.parametrize(
    ("rules", "requested_by", "problem"),
    [
        (ApproverRules(), "other", None),
        (ApproverRules(), "", None),
        (ApproverRules(), "maria", "the user started the run; another user must approve it"),
        (ApproverRules(allows_self=True), "maria", None),
        (ApproverRules(("maria",)), "maria", "the user started the run; another user must approve it"),
        (ApproverRules(("maria", "igor")), "other", None),
        (ApproverRules(("igor", "maria")), "other", None),
        (ApproverRules(("igor",)), "other", "the user is not in SYRVE_APPROVERS"),
        (ApproverRules(("igor",), allows_self=True), "maria", "the user is not in SYRVE_APPROVERS"),
    ],
)
def test_problem_of_an_approval_is_named(rules: ApproverRules, requested_by: str, problem: str | None) -> None:
    found = rules.problem(User("7", "maria"), requested_by)

    assert found is None if problem is None else str(found).startswith(problem)
