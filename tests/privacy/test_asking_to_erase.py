"""What an erasure asks for before it may begin, what stops it, and what a person's export holds."""

import json
from dataclasses import replace

import pytest

from fixtures.persons import ERASURE, SURNAME, Persons
from syrve.approvals.book import ApprovalBook, RunOf
from syrve.approvals.errors import NotApproved
from syrve.approvals.rules import ApproverRules, User
from syrve.privacy.erase import content_of, erase_people, plan_erasure
from syrve.privacy.errors import ErasureHindered, UnusableRequest
from syrve.privacy.export import export_customer


def test_erasure_without_approval_is_refused(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)

    assert "syrve.customer" in persons.traces()


def test_approval_of_other_people_does_not_count(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan(run_id="erasure", phone="+79990001199")
    persons.approve()
    persons.plan()

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)


def test_open_hold_keeps_a_customer_from_being_erased(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.plan()
    persons.approve()
    persons.purse.do("hold", "3.00")

    with pytest.raises(ErasureHindered, match="on hold"):
        erase_people(persons.warehouse, ERASURE)

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


def test_approval_of_another_dag_with_the_same_run_id_erases_nobody(persons: Persons) -> None:
    persons.plan()
    with persons.warehouse.transaction("test") as cursor:
        asked = content_of(cursor, ERASURE)
    other = ApprovalBook(persons.warehouse, RunOf("another_dag", ERASURE.run_id, "requester"))
    other.ask(asked)
    other.approve(asked, User("2", "approver"), ApproverRules((), allows_self=False))

    with pytest.raises(NotApproved):
        erase_people(persons.warehouse, ERASURE)
    assert erase_people(persons.warehouse, RunOf("another_dag", ERASURE.run_id)) == {}


def test_cleared_run_pins_nobody_whom_it_did_not_pin_before(persons: Persons) -> None:
    persons.plan()
    cleared = replace(ERASURE, doubt="it was cleared")
    named = {"organization_id": persons.organization_id}

    plan_erasure(persons.warehouse, [named | {"id": persons.customer_id}], run=cleared, region="RU", dry_run=False)
    with pytest.raises(NotApproved, match="it was cleared"):
        plan_erasure(persons.warehouse, [named | {"phone": "+79990001198"}], run=cleared, region="RU", dry_run=False)

    assert persons.rows("select count(*) from privacy.erasure") == [(1,)]
