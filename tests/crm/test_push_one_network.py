"""Two organizations of one loyalty network share their guests: what happens if the CRM wants something else of a guest in each."""

from typing import Any

import pytest

from fixtures.pushes import Pushing

ROUNDS = 3
Sides = tuple[Pushing, Pushing, Any]


class Second(Pushing):
    """The same, in the second organization."""

    @property
    def organization_id(self) -> str:
        return str(self.simulator.control.organizations()[1]["organization_id"])


@pytest.fixture
def sides(cloud_pushing: Pushing) -> Sides:
    """A guest whom both organizations have in their mirrors, and a push of each."""
    first = cloud_pushing
    first.simulator.control.set_switches(one_loyalty_network=True)
    second = Second(first.simulator, first.warehouse, first.config, used=first.used)
    (person,) = first.people()
    for side in (first, second):
        side.add(id=[person["customer_id"]])
        side.pull()
    return first, second, person


def push_in_turn(*sides: Pushing) -> list[int]:
    """Push and look up in each organization, and return how many calls changed a profile in each round."""
    calls = []
    for _ in range(ROUNDS):
        sides[0].simulator.control.reset_calls()
        for side in sides:
            side.push()
            side.look_up()
        calls.append(len(sides[0].sent()))
    return calls


def test_names_that_contradict_come_to_rest(sides: Sides) -> None:
    """The later push counts, the other row is shown as changed in Syrve, and nothing goes to and fro."""
    first, second, person = sides
    mine = first.set_desired_of(person, name="Первое")
    second.set_desired_of(person, name="Второе")

    calls = push_in_turn(first, second)

    assert calls[-1] == 0
    shown = first.rows("select field, crm_value, syrve_value from crm.remote_change where crm_id = %s", mine)
    conflict = first.rows("select field from crm.conflict where closed_at is null")
    assert (first.in_syrve(person["customer_id"]).name, shown, conflict) == (
        "Второе",
        [("name", "Первое", "Второе")],
        [],
    )


@pytest.mark.parametrize("first_says", [True, False])
def test_no_to_messages_in_one_organization_stays_for_both(sides: Sides, first_says: bool) -> None:
    first, second, person = sides
    first.set_desired_of(person, receives_promo=first_says)
    second.set_desired_of(person, receives_promo=not first_says)

    calls = push_in_turn(first, second)

    assert calls[-1] == 0
    assert first.in_syrve(person["customer_id"]).receives_promo is False
