"""Forgetting a person: what is left, and what brings nobody back."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from fixtures.persons import SURNAME, Persons
from syrve.approvals.errors import NotApproved
from syrve.privacy.erase import erase_people
from syrve.privacy.errors import ErasureHindered, UnusableRequest
from syrve.privacy.export import export_customer
from syrve.privacy.receipts import forget_again, write_receipts
from syrve.warehouse.errors import WarehouseError


def test_person_is_known_before_the_erasure(persons: Persons) -> None:
    persons.known_in_every_way()

    found = persons.traces()

    expected = {
        "syrve.customer",
        "syrve.customer_version",
        "sync.roster",
        "sync.reject",
        "crm.customer",
        "wallet.operation",
    }
    assert expected <= set(found), "else the search would find nothing in any case"


def test_erasure_leaves_no_trace_of_the_person(persons: Persons) -> None:
    persons.known_in_every_way()

    done = persons.erase()

    assert persons.traces() == {}
    assert done["people"] == 1


def test_money_of_an_erased_customer_stays(persons: Persons) -> None:
    persons.known_in_every_way()
    before = persons.rows("select kind, amount from wallet.operation order by operation_id")

    persons.erase()

    assert persons.rows("select kind, amount from wallet.operation order by operation_id") == before
    ((pseudonym,),) = persons.rows("select pseudonym from privacy.erasure")
    assert {each for (each,) in persons.rows("select customer_id from wallet.operation")} == {pseudonym}
    ((balance,),) = persons.rows(
        "select max(balance) from syrve.wallet_balance_version where customer_id = %s", pseudonym
    )
    assert balance >= Decimal("100")


def test_pull_does_not_bring_an_erased_customer_back(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    other = persons.purse.simulator.control.customers_page(
        persons.organization_id, offset=persons.purse.place + 1, limit=1
    )[0]
    persons.import_roster(other["phone"])
    phone = "+79990001122"
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source) values (%s, 'phone', %s, 'test')",
        persons.organization_id,
        phone,
    )
    persons.change(phone=phone)

    persons.pull()

    assert persons.rows("select phone from syrve.customer") == [(other["phone"],)], "the others land"
    assert persons.traces() == {}
    assert persons.rows("select count(*) from sync.roster where identity_value = %s", phone) == [(0,)]
    persons.change(phone=persons.phone)


def test_imports_do_not_bring_an_erased_person_back(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    persons.import_roster(persons.phone)
    crm = persons.import_crm()

    assert persons.traces() == {}
    assert (crm.changed, crm.rejected) == (0, 1)


def test_crm_that_writes_an_erased_person_is_refused(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    with pytest.raises(WarehouseError, match="SY001") as refusal:
        persons.execute(
            "insert into crm.customer (organization_id, phone) values (%s, %s)", persons.organization_id, persons.phone
        )

    assert persons.phone not in str(refusal.value)


def test_reject_that_names_an_erased_person_is_not_kept(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()

    persons.execute(
        "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason, payload) "
        "values ('r', 'roster', %s, 'line 3', 'import', 'made up', %s)",
        persons.organization_id,
        json.dumps({"text": f"8 ({persons.phone[2:5]}) {persons.phone[5:]}"}),
    )

    assert persons.rows("select count(*) from sync.reject where identity = 'line 3'") == [(0,)]


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


def test_repeated_erasure_changes_nothing_more(persons: Persons) -> None:
    persons.known_in_every_way()
    persons.erase()
    receipt = persons.rows("select erasure_id, removed from privacy.erasure")

    assert erase_people(persons.warehouse, "erasure")["people"] == 0
    assert persons.rows("select erasure_id, removed from privacy.erasure") == receipt


def test_person_without_a_customer_is_erased_by_phone(persons: Persons) -> None:
    phone = "+79990001177"
    persons.import_roster(phone)
    persons.execute(
        "insert into crm.customer (organization_id, phone, surname) values (%s, %s, %s)",
        persons.organization_id,
        phone,
        SURNAME,
    )

    persons.plan(run_id="erasure", phone=phone)
    persons.approve()
    erase_people(persons.warehouse, "erasure")

    assert persons.traces(phone, SURNAME) == {}


def test_restored_backup_does_not_bring_a_person_back(persons: Persons, tmp_path: Path) -> None:
    persons.known_in_every_way()
    persons.erase()
    assert write_receipts(persons.warehouse, "erasure", tmp_path / "receipts") == 1
    persons.execute("truncate privacy.erased_key, privacy.erasure")  # as a backup of before has it, with the person
    persons.import_roster(persons.phone)
    persons.pull()
    assert "syrve.customer" in persons.traces()

    assert forget_again(persons.warehouse, tmp_path / "receipts") == (1, 1)

    assert persons.traces() == {}
    (receipt,) = (tmp_path / "receipts").glob("*.json")
    assert persons.phone not in receipt.read_text()


def test_export_holds_every_table_of_the_person(persons: Persons) -> None:
    persons.known_in_every_way()

    found = export_customer(persons.warehouse, persons.organization_id, persons.customer_id)

    assert set(persons.traces()) <= set(found)
    assert SURNAME in json.dumps(found, ensure_ascii=False)


def test_export_of_an_unknown_customer_is_refused(persons: Persons) -> None:
    with pytest.raises(UnusableRequest, match="nothing"):
        export_customer(persons.warehouse, persons.organization_id, "5f4e0004-0000-4000-8000-00000000dead")
