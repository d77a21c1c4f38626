"""What an erasure asks for before it may begin, what stops it, and what a person's export holds."""

import json

import pytest

from fixtures.persons import SURNAME, Persons
from syrve.approvals.errors import NotApproved
from syrve.privacy.erase import erase_people
from syrve.privacy.errors import ErasureHindered, UnusableRequest
from syrve.privacy.export import export_customer


def test_erasure_without_approval_is_refused(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, "erasure")

    assert "syrve.customer" in persons.traces()


def test_approval_of_other_people_does_not_count(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan(run_id="erasure", phone="+79990001199")
    persons.approve()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, "erasure")


def test_open_hold_keeps_a_customer_from_being_erased(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()
    persons.approve()
    persons.purse.do("hold", "3.00")

    with pytest.raises(ErasureHindered, match="on hold"):
        erase_people(persons.warehouse, "erasure")

    assert "syrve.customer" in persons.traces()
    assert persons.plan("another", dry_run=True).hindered.total() == 1


def test_preview_of_an_erasure_pins_nobody(persons: Persons) -> None:
    persons.known_in_every_way()

    plan = persons.plan(dry_run=True)

    assert (plan.people, persons.rows("select count(*) from privacy.erasure")) == (1, [(0,)])


def test_export_holds_every_table_of_the_person(persons: Persons) -> None:
    persons.known_in_every_way()

    found = export_customer(persons.warehouse, persons.organization_id, persons.customer_id)

    others_too = {"sync.check_result"}  # names other customers beside this one, and says nothing of either
    assert set(persons.traces()) - others_too <= set(found)
    assert SURNAME in json.dumps(found, ensure_ascii=False)


def test_export_of_an_unknown_customer_is_refused(persons: Persons) -> None:
    with pytest.raises(UnusableRequest, match="nothing"):
        export_customer(persons.warehouse, persons.organization_id, "5f4e0004-0000-4000-8000-00000000dead")
