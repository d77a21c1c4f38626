"""The question about holds, and what each answer to it means."""

from datetime import timedelta
from decimal import Decimal

import pytest

from syrve.release.errors import AnswerUnclear
from syrve.release.policy import DEFAULT_RULES, RULES, severities_from
from syrve.release.question import (
    KEEP_REST,
    RELEASE_ALL,
    RELEASE_NONE,
    Decision,
    ShownHold,
    body,
    format_age,
    options,
    read_answer,
    subject,
    total,
)

DIGEST = "0123456789ab" + "f" * 52
TAG = "[0123456789ab]"


def hold(place: int, amount: str = "10.00", order_state: str | None = "completed") -> ShownHold:
    return ShownHold(
        release_id=f"release-{place}",
        place=place,
        hold_id=f"hold-{place}",
        organization_id="organization",
        amount=Decimal(amount),
        order_state=order_state,
        rules=("charged_hold_open", "stale_hold"),
        severity="critical",
        age=timedelta(hours=5),
    )


HOLDS = [hold(1), hold(2, "2.50", None), hold(3)]
ALL = frozenset({"release-1", "release-2", "release-3"})


def chosen(*picked: str) -> Decision:
    """What an answer means in which these options, or the holds of these places, are ticked."""
    by_place = {str(each.place): f"{each.option} {TAG}" for each in HOLDS}
    return read_answer(HOLDS, [by_place.get(each, each) for each in picked])


def test_options_that_change_something_end_in_the_tag() -> None:
    first = "1. Release 10.00, charged_hold_open, stale_hold, hold hold-1"

    assert options(HOLDS[:1], DIGEST) == [
        f"{RELEASE_ALL} {TAG}",
        RELEASE_NONE,
        f"{first} {TAG}",
        f"{KEEP_REST} {TAG}",
    ]


def test_question_states_count_sum_and_each_hold() -> None:
    assert total(HOLDS) == Decimal("22.50")
    assert total([]) == 0
    assert subject(HOLDS) == "Release 3 hold(s) of 22.50 in all?"
    lines = body(HOLDS).split("\n")
    assert lines[2:5] == [
        "",
        "| | amount | age | severity | rules | order | hold | organization |",
        "| ---: | ---: | ---: | --- | --- | --- | --- | --- |",
    ]
    assert (
        lines[6] == "| 2 | 2.50 | 5 h | critical | charged_hold_open, stale_hold | not known | hold-2 | organization |"
    )
    assert "| completed |" in lines[5]
    assert len(lines) == 5 + len(HOLDS)


@pytest.mark.parametrize(
    ("picked", "approved", "kept"),
    [
        ((), (), ()),
        ((RELEASE_NONE,), (), ()),
        (("1",), ("release-1",), ()),
        (("1", "3"), ("release-1", "release-3"), ()),
        ((f"{RELEASE_ALL} {TAG}",), ALL, ()),
        ((RELEASE_ALL, "2"), ALL, ()),
        (("1", f"{KEEP_REST} {TAG}"), ("release-1",), ("release-2", "release-3")),
        ((RELEASE_NONE, KEEP_REST), (), ALL),
        ((RELEASE_ALL, KEEP_REST), ALL, ()),
    ],
)
def test_answer_approves_what_is_chosen(picked: tuple[str, ...], approved: set[str], kept: set[str]) -> None:
    keeps = any(each.startswith(KEEP_REST) for each in picked)
    left = frozenset() if keeps else ALL - set(approved)

    assert chosen(*picked) == Decision(frozenset(approved), frozenset(kept), left)


@pytest.mark.parametrize(
    ("picked", "text"),
    [
        ((RELEASE_NONE, "1"), "names holds to release; nothing is released"),
        ((RELEASE_NONE, RELEASE_ALL), "names holds to release; nothing is released"),
        (("4. Release 1.00, stale_hold, hold hold-4",), "options that were not in this question; nothing is released"),
        (("1", "anything"), "options that were not in this question; nothing is released"),
    ],
)
def test_contradicting_answer_releases_nothing(picked: tuple[str, ...], text: str) -> None:
    with pytest.raises(AnswerUnclear, match=text):
        chosen(*picked)


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=119, seconds=59), "119 min"),
        (timedelta(minutes=120), "2 h"),
        (timedelta(minutes=72 * 60 - 1), "71 h"),
        (timedelta(hours=72), "3 d"),
        (timedelta(hours=95, minutes=59), "3 d"),
        (timedelta(hours=96), "4 d"),
    ],
)
def test_age_is_in_its_largest_fitting_unit(age: timedelta, text: str) -> None:
    assert format_age(age) == text


def test_severity_and_those_above_it_are_chosen() -> None:
    assert severities_from("low") == ["low", "medium", "high", "critical"]
    assert severities_from("critical") == ["critical"]
    with pytest.raises(ValueError, match="must be one of low, medium, high, critical"):
        severities_from("grave")


def test_default_rules_are_releasable() -> None:
    assert set(DEFAULT_RULES) < set(RULES)
