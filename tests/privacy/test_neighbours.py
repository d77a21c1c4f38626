"""Erasing one person takes nothing from another one, and leaves nothing of the person because somebody wrote a number in another way."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from fixtures.persons import ERASURE, Persons
from syrve.privacy.erase import erase_people
from syrve.privacy.export import export_customer
from syrve.privacy.receipts import forget_again, write_receipts

NUMBER = "+79161234567"
WRITTEN = (
    "8 (916) 123-45-67",
    "+7 916 123 45 67",
    "9161234567",
    "007 916 123-45-67",
    "７９１６१२३४५६७",
    "+७ ९१६ १२३-४५-६७",
    "8 (916) 123-45-67 доб. 12",
    "8 495 765-43-21, 8 916 123-45-67",
    "тел. 8-916-123-45-67",
)


def add_customer(
    persons: Persons, phone: str | None, *, email: str | None = None, customer_id: str | None = None
) -> str:
    """Put a customer into the mirror, as a look-up by id found them."""
    customer_id = customer_id or str(uuid4())
    persons.execute(
        "insert into syrve.customer (organization_id, customer_id, phone, phone_raw, email, is_deleted, extra, first_seen_at, changed_at, "
        "fetched_at, profile_changed_at) values (%s, %s, %s, %s, %s, false, '{}', now(), now(), now(), now())",
        persons.organization_id,
        customer_id,
        phone,
        phone,
        email,
    )
    return customer_id


def add_to_roster(persons: Persons, phone: str, customer_id: str | None) -> None:
    persons.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, outcome) "
        "values (%s, 'phone', %s, 'test', %s, 'found')",
        persons.organization_id,
        phone,
        customer_id,
    )


def add_to_crm(persons: Persons, phone: str) -> int:
    ((crm_id,),) = persons.rows(
        "insert into crm.customer (organization_id, phone, name) values (%s, %s, 'Somebody') returning crm_id",
        persons.organization_id,
        phone,
    )
    return int(crm_id)


def erase(persons: Persons, customer_id: str) -> None:
    persons.plan(id=customer_id)
    persons.approve()
    erase_people(persons.warehouse, ERASURE)


@pytest.mark.parametrize("written", WRITTEN)
def test_crm_row_is_found_however_it_writes_the_phone(persons: Persons, written: str) -> None:
    customer_id = add_customer(persons, NUMBER)
    crm_id = add_to_crm(persons, written)
    assert "crm.customer" in export_customer(persons.warehouse, persons.organization_id, customer_id)

    erase(persons, customer_id)

    assert persons.rows("select count(*) from crm.customer where crm_id = %s", crm_id) == [(0,)]


@pytest.mark.parametrize("other", ["+79161234568", "8 916 123 45 6", "123-45-67", "+49 9161234567 89", ""])
def test_crm_row_of_another_number_stays(persons: Persons, other: str) -> None:
    customer_id = add_customer(persons, NUMBER)
    crm_id = add_to_crm(persons, other) if other else add_to_crm(persons, "none")

    erase(persons, customer_id)

    assert persons.rows("select count(*) from crm.customer where crm_id = %s", crm_id) == [(1,)]


@pytest.mark.parametrize(
    ("phone", "written"), [("+375291234567", "8 029 123-45-67"), ("+971501234567", "050 123 4567")]
)
def test_prefixes_of_other_countries_are_known(persons: Persons, phone: str, written: str) -> None:
    assert persons.rows("select privacy.is_written_as(%s, %s)", phone, written) == [(True,)]
    assert persons.rows("select privacy.is_written_as('+19161234567', '8 916 123-45-67')") == [(False,)]


def test_row_that_may_be_of_two_customers_is_the_other_ones(persons: Persons) -> None:
    erased, _ = add_customer(persons, "+19161234567"), add_customer(persons, NUMBER)
    crm_id = add_to_crm(persons, "916 123-45-67")

    erase(persons, erased)

    assert persons.rows("select count(*) from crm.customer where crm_id = %s", crm_id) == [(1,)]


def test_signal_that_holds_the_phone_in_a_text_goes(persons: Persons) -> None:
    customer_id = add_customer(persons, NUMBER)
    persons.execute(
        "insert into sync.signal (content_key, organization_id, kind, event_type, channel, order_number) values "
        "(sha256('a'), %s, 'other', 'Odd', 'webhook', %s), (sha256('b'), %s, 'other', 'Odd', 'webhook', '4711')",
        persons.organization_id,
        f"call {NUMBER}",
        persons.organization_id,
    )

    erase(persons, customer_id)

    assert persons.rows("select order_number from sync.signal") == [("4711",)]


@pytest.mark.parametrize(
    ("number", "count"), [("site-ER4711X", 0), ("ER4711X", 0), ("er4711x", 1), ("site-1000001", 1)]
)
def test_signal_that_names_an_erased_card_is_dropped(persons: Persons, number: str, count: int) -> None:
    customer_id = add_customer(persons, NUMBER)
    for track in ("ER4711X", "site-ER4711X"):
        persons.execute(
            "insert into syrve.card (organization_id, customer_id, card_id, track, number, changed_at) "
            "values (%s, %s, gen_random_uuid(), %s, %s, now())",
            persons.organization_id,
            customer_id,
            track,
            track,
        )
    erase(persons, customer_id)

    persons.execute(
        "insert into sync.signal (content_key, organization_id, kind, event_type, channel, external_number, order_number) "
        "values (sha256('a'), %s, 'other', 'DeliveryOrderUpdate', 'webhook', %s, '1234567')",
        persons.organization_id,
        number,
    )

    assert persons.rows("select count(*) from sync.signal") == [(count,)]


def test_signal_that_names_an_erased_person_in_a_text_is_dropped(persons: Persons) -> None:
    customer_id = add_customer(persons, NUMBER)
    erase(persons, customer_id)

    for key, number in (("a", NUMBER.removeprefix("+")), ("b", customer_id), ("c", "4711")):
        persons.execute(
            "insert into sync.signal (content_key, organization_id, kind, event_type, channel, external_number) values "
            "(sha256(%s), %s, 'other', 'Odd', 'webhook', %s)",
            key,
            persons.organization_id,
            number,
        )

    assert persons.rows("select external_number from sync.signal") == [("4711",)]


def test_number_that_another_customer_has_now_is_theirs(persons: Persons) -> None:
    former, owner = add_customer(persons, "+79169999999"), add_customer(persons, NUMBER, email="shared@example.com")
    persons.execute("update syrve.customer set email = 'shared@example.com' where customer_id = %s", former)
    add_to_roster(persons, NUMBER, former)
    crm_id = add_to_crm(persons, NUMBER)

    erase(persons, former)

    assert persons.rows("select customer_id::text from syrve.customer where phone = %s", NUMBER) == [(owner,)]
    assert persons.rows("select count(*) from crm.customer where crm_id = %s", crm_id) == [(1,)]
    for kind, value in (("phone", NUMBER), ("email", "shared@example.com")):
        asked = persons.rows("select privacy.is_erased(%s, %s, %s)", persons.organization_id, kind, value)
        assert asked == [(False,)], kind
    assert persons.rows("select customer_id, due_at <= now() from sync.roster where identity_value = %s", NUMBER) == [
        (None, True)
    ]
    assert persons.traces(former, "+79169999999") == {}


def test_restored_backup_erases_nobody_by_a_number(persons: Persons, tmp_path: Path) -> None:
    erased = add_customer(persons, NUMBER)
    add_to_roster(persons, NUMBER, erased)
    erase(persons, erased)
    write_receipts(persons.warehouse, ERASURE, tmp_path)
    persons.execute("truncate privacy.erased_key, privacy.erasure")
    earlier = add_customer(persons, NUMBER)  # whose number it was when the backup was made
    add_to_roster(persons, NUMBER, earlier)

    assert forget_again(persons.warehouse, tmp_path) == (1, 0, 0)

    assert persons.rows("select customer_id::text from syrve.customer") == [(earlier,)]


def test_allowed_customer_stays_allowed(persons: Persons, tmp_path: Path) -> None:
    customer_id = add_customer(persons, NUMBER)
    erase(persons, customer_id)
    write_receipts(persons.warehouse, ERASURE, tmp_path)
    for kind, value in (("id", customer_id), ("phone", NUMBER)):
        assert persons.rows("select privacy.allow_again(%s, %s, %s)", persons.organization_id, kind, value) == [(True,)]
    back = add_customer(persons, NUMBER)
    add_to_roster(persons, NUMBER, back)

    assert forget_again(persons.warehouse, tmp_path) == (0, 0, 0)

    assert persons.rows("select customer_id::text from syrve.customer") == [(back,)]


def test_receipt_of_another_name_brings_no_allowed_person_back(persons: Persons, tmp_path: Path) -> None:
    customer_id = add_customer(persons, NUMBER)
    erase(persons, customer_id)
    write_receipts(persons.warehouse, ERASURE, tmp_path)
    for kind, value in (("id", customer_id), ("phone", NUMBER)):
        persons.rows("select privacy.allow_again(%s, %s, %s)", persons.organization_id, kind, value)
    back = add_customer(persons, NUMBER, customer_id=customer_id)
    add_to_roster(persons, NUMBER, back)
    (written,) = tmp_path.glob("*.json")
    erasure_id = str(uuid4())
    (tmp_path / f"{erasure_id}.json").write_text(
        json.dumps(json.loads(written.read_text()) | {"erasure_id": erasure_id})
    )

    assert forget_again(persons.warehouse, tmp_path) == (1, 0, 0)

    assert persons.rows("select customer_id::text from syrve.customer") == [(back,)]


def test_allowed_person_can_be_erased_once_more(persons: Persons) -> None:
    customer_id = add_customer(persons, NUMBER)
    erase(persons, customer_id)
    persons.rows("select privacy.allow_again(%s, 'id', %s)", persons.organization_id, customer_id)
    persons.rows("select privacy.allow_again(%s, 'phone', %s)", persons.organization_id, NUMBER)
    asked = "select privacy.is_erased(%(o)s, 'phone', %(p)s), privacy.names_erased(%(o)s, %(p)s)"
    values = {"o": persons.organization_id, "p": NUMBER}
    with persons.warehouse.transaction("test") as cursor:
        cursor.execute(asked, values)
        assert cursor.fetchall() == [(False, False)]
        cursor.execute(
            "insert into privacy.erasure (dag_id, run_id, organization_id, phone, requested_by) values ('', 'again', %(o)s, %(p)s, 'x')",
            values,
        )
        cursor.execute("select privacy.carry_out(erasure) from privacy.erasure where run_id = 'again'")
        cursor.execute(asked, values)
        assert cursor.fetchall() == [(True, True)]
