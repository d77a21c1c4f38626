"""Switches for what a push and a pull must survive: a second writer, and one wrong answer for everybody."""

import pytest

from fixtures.pushes import Pushing
from syrve.api.errors import NotFound


def test_second_writer_changes_whom_was_looked_up(pushing: Pushing) -> None:
    person, other = pushing.people(2)
    pushing.simulator.control.set_switches(second_writer={"name": "Иной", "receives_promo": False})

    before = pushing.in_syrve(person["customer_id"])
    after = pushing.in_syrve(person["customer_id"])

    assert before.name != "Иной"
    assert (after.name, after.receives_promo, after.surname) == ("Иной", False, before.surname)
    pushing.simulator.control.set_switches(second_writer=None)
    assert pushing.in_syrve(other["customer_id"]).name != "Иной"


def test_look_ups_find_nobody_while_the_switch_is_on(pushing: Pushing) -> None:
    [person] = pushing.people()
    pushing.simulator.control.set_switches(look_ups_find_nobody=True)

    with pytest.raises(NotFound):
        pushing.in_syrve(person["customer_id"])

    pushing.simulator.control.set_switches(look_ups_find_nobody=False)
    assert pushing.in_syrve(person["customer_id"]).phone == person["phone"]
