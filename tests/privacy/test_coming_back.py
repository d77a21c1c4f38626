"""People who are back after a restore: whom the warehouse finds, which texts it forgets, and who has to wait for that."""

from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from fixtures.persons import ERASURE, Persons
from privacy.test_neighbours import add_customer, erase
from syrve.privacy.receipts import forget_again, write_receipts
from syrve.warehouse.errors import WarehouseError

PHONE, FORMER = "+79161234567", "+79167654321"
REJECT = (
    "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason) "
    "values ('r', 'roster', %s, %s, 'import', 'r') on conflict do nothing"
)
OTHER = "phone +79990000001"


def restored(persons: Persons, folder: Path, *, with_the_person: bool = True) -> str:
    """Erase a person, then put back what a backup of before has: the person under a new phone, and a text with the erased one."""
    customer_id = add_customer(persons, FORMER)
    erase(persons, customer_id)
    write_receipts(persons.warehouse, ERASURE, folder)
    persons.execute("truncate privacy.erased_key, privacy.erasure")
    if with_the_person:
        add_customer(persons, PHONE, customer_id=customer_id)
    for text in (f"phone {FORMER}", OTHER):
        persons.execute(REJECT, persons.organization_id, text)
    return customer_id


def texts(persons: Persons) -> list[str]:
    return [text for (text,) in persons.rows("select identity from sync.reject order by identity")]


def test_text_with_a_former_phone_goes_with_the_person(persons: Persons, tmp_path: Path) -> None:
    restored(persons, tmp_path)

    assert forget_again(persons.warehouse, tmp_path) == (1, 1, 0)

    assert texts(persons) == [OTHER]
    assert persons.rows("select count(*) from syrve.customer") == [(0,)]


def test_text_goes_though_no_customer_came_back(persons: Persons, tmp_path: Path) -> None:
    restored(persons, tmp_path, with_the_person=False)

    assert forget_again(persons.warehouse, tmp_path) == (1, 0, 0)

    assert texts(persons) == [OTHER]


def test_texts_are_searched_once_for_a_receipt(persons: Persons, tmp_path: Path) -> None:
    restored(persons, tmp_path, with_the_person=False)
    (receipt,) = tmp_path.glob("*.json")
    persons.rows("select privacy.remember(%s::jsonb)", receipt.read_text())  # and the task was killed
    due = "select count(*) from privacy.erasure where is_search_due"
    assert persons.rows(due) == [(1,)]

    assert forget_again(persons.warehouse, tmp_path) == (0, 0, 0)

    assert texts(persons) == [OTHER]
    assert persons.rows(due) == [(0,)]
    assert persons.rows("select privacy.forget_returned_texts()") == [({},)]


def test_search_of_texts_waits_for_no_one_who_asks(persons: Persons, tmp_path: Path) -> None:
    restored(persons, tmp_path)
    (receipt,) = tmp_path.glob("*.json")
    persons.rows("select privacy.remember(%s::jsonb)", receipt.read_text())
    asking = psycopg2.connect(persons.warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        with asking.cursor() as cursor:
            cursor.execute("select privacy.is_erased(%s, 'phone', %s)", (persons.organization_id, PHONE))
            with persons.warehouse.transaction("test") as searching:
                searching.execute("set local lock_timeout = '1s'")
                searching.execute("select privacy.forget_returned_texts()")
                cursor.execute("select privacy.is_erased(%s, 'phone', %s)", (persons.organization_id, FORMER))
                assert cursor.fetchall() == [(True,)], "nor does who asks wait for it"
    finally:
        asking.close()

    assert texts(persons) == [OTHER]


def test_returned_person_whose_money_is_held_waits(persons: Persons, tmp_path: Path) -> None:
    customer_id = restored(persons, tmp_path)
    persons.execute(
        "insert into wallet.hold (hold_id, organization_id, customer_id, wallet_id, amount, source, observed, state, opened_at) "
        "values (gen_random_uuid(), %s, %s, gen_random_uuid(), 5, 'till', true, 'confirmed', now())",
        persons.organization_id,
        customer_id,
    )

    assert forget_again(persons.warehouse, tmp_path) == (1, 0, 0)
    persons.execute("update wallet.hold set closed_at = now(), closed_by = 'cancelled'")
    assert forget_again(persons.warehouse, tmp_path) == (0, 1, 0)


def test_person_who_was_not_erased_is_not_erased_again(persons: Persons, tmp_path: Path) -> None:
    restored(persons, tmp_path)
    other = add_customer(persons, "+79160000009")

    for customer_id, phone in ((other, None), (None, "+79160000009"), (str(uuid4()), None)):
        with pytest.raises(WarehouseError, match="SY002"):
            persons.rows("select privacy.erase_returned(%s, %s, %s)", persons.organization_id, customer_id, phone)

    assert persons.rows("select count(*) from syrve.customer where customer_id = %s", other) == [(1,)]
