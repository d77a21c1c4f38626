"""A wrong answer for a tenth is little in each of many small runs: those of a day are judged together."""

from collections.abc import Sequence

import pytest

from customers.test_held_back import NOT_FOUND, answers, as_role, breakers, deleted, ids, the_breaker
from fixtures.pulls import Syncing
from syrve.customers.holding import CustomersHeldBack


@pytest.fixture
def mirrored(syncing: Syncing) -> Syncing:
    """Customers whom the mirror has, under their ids."""
    syncing.add(id=[each["customer_id"] for each in syncing.customers(70)])
    syncing.pull()
    syncing.make_due()
    return syncing


def pull_by_and_by(syncing: Syncing, customer_ids: Sequence[str], size: int) -> list[int]:
    """Look up some at a time, a run for each; return the runs that held something back."""
    syncing.execute("update sync.roster set due_at = now() + interval '1 hour'")
    held = []
    for number, start in enumerate(range(0, len(customer_ids), size)):
        chosen = list(customer_ids[start : start + size])
        syncing.execute("update sync.roster set due_at = now() where identity_value = any(%s)", chosen)
        try:
            syncing.pull()
        except CustomersHeldBack:
            held.append(number)
    return held


def test_small_runs_of_a_day_are_judged_together(mirrored: Syncing) -> None:
    gone = ids(mirrored, 60)
    answers(mirrored, NOT_FOUND, gone, 400)

    held = pull_by_and_by(mirrored, gone, 10)

    assert held == [2, 3, 4, 5]
    assert deleted(mirrored) == 20
    assert breakers(mirrored) == [("customers_gone", "", None)]


def test_runs_of_the_day_before_are_not_counted(mirrored: Syncing) -> None:
    gone = ids(mirrored, 30)
    answers(mirrored, NOT_FOUND, gone, 400)

    held = pull_by_and_by(mirrored, gone[:15], 15)
    mirrored.execute("update sync.breaker_count set counted_at = counted_at - interval '25 hours'")

    assert held + pull_by_and_by(mirrored, gone[15:], 15) == []
    assert deleted(mirrored) == 30


def test_decision_begins_the_day_anew(mirrored: Syncing) -> None:
    gone = ids(mirrored, 45)
    answers(mirrored, NOT_FOUND, gone, 400)
    assert pull_by_and_by(mirrored, gone[:30], 15) == [1]
    as_role(mirrored, "syrve_ops", "select sync.let_through(%s)", the_breaker(mirrored))

    mirrored.pull()
    assert pull_by_and_by(mirrored, gone[30:], 15) == []

    assert deleted(mirrored) == 45


def test_dropped_few_are_not_gone_at_the_next_answer(mirrored: Syncing) -> None:
    """They are fewer than one run may lose, and a person said that the mirror keeps them."""
    gone = ids(mirrored, 30)
    answers(mirrored, NOT_FOUND, gone, 400)
    assert pull_by_and_by(mirrored, gone, 15) == [1]
    as_role(mirrored, "syrve_ops", "select sync.drop_held_back(%s)", the_breaker(mirrored))

    with pytest.raises(CustomersHeldBack):
        mirrored.pull()

    assert deleted(mirrored) == 15
