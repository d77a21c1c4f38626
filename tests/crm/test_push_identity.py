"""Who is who: a row of the CRM is never written over the wrong customer, and no row is blocked for ever by another one."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from fixtures.pushes import NEW_PHONES, Pushing
from syrve.crm.imports import CrmImport
from syrve.customers.roster import RosterImport, crm_rows


def take(pushing: Pushing, *rows: dict[str, Any]) -> None:
    job = CrmImport(pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=pushing.organization_id)
    job.run([pd.DataFrame(rows, dtype="object")])


def desired_states(pushing: Pushing, columns: str) -> list[tuple[Any, ...]]:
    return pushing.rows(f"select {columns} from crm.customer order by crm_id")


def rejects(pushing: Pushing) -> list[str]:
    return [reason for (reason,) in pushing.rows("select reason from sync.reject order by reject_id")]


def blocked(pushing: Pushing) -> dict[int, str]:
    return dict(pushing.rows("select crm_id, reason from crm.push_blocked"))


def rounds(pushing: Pushing, number: int = 4) -> None:
    for _ in range(number):
        pushing.push()
        pushing.look_up()


# imports


def test_line_with_another_id_leaves_the_row_of_its_phone_alone(pushing: Pushing) -> None:
    anna, boris = pushing.mirrored(2)
    pushing.set_desired_of(anna, phone=anna["phone"], name="Анна", email="anna@example.com", birthday=date(1990, 1, 1))

    take(pushing, {"customer_id": boris["customer_id"], "phone": anna["phone"], "name": "Борис"})

    assert desired_states(pushing, "customer_id::text, name, email") == [
        (anna["customer_id"], "Анна", "anna@example.com"),
        (boris["customer_id"], "Борис", None),
    ]


def test_line_whose_crm_id_is_another_customers_is_rejected(pushing: Pushing) -> None:
    anna, boris = pushing.mirrored(2)
    crm_id = pushing.set_desired_of(anna, name="Анна")

    take(pushing, {"crm_id": crm_id, "customer_id": boris["customer_id"], "name": "Борис"})

    assert desired_states(pushing, "customer_id::text, name") == [(anna["customer_id"], "Анна")]
    assert rejects(pushing) == ["the row with this crm_id is about another customer"]


def test_line_by_phone_is_rejected_if_several_have_it(pushing: Pushing) -> None:
    anna, boris = pushing.mirrored(2)
    phone = next(NEW_PHONES)
    pushing.set_desired_of(anna, phone=phone)
    pushing.set_desired_of(boris, phone=phone)

    take(pushing, {"phone": phone, "name": "Кто-то"})

    assert desired_states(pushing, "name") == [(None,), (None,)]
    assert rejects(pushing) == ["rows about several customers have this phone: name the customer by id"]


def test_lines_by_id_and_by_phone_about_one_new_customer_are_one_row(pushing: Pushing) -> None:
    [anna] = pushing.people()

    take(
        pushing,
        {"phone": anna["phone"], "email": "anna@example.com"},
        {"customer_id": anna["customer_id"], "phone": anna["phone"], "name": "Анна"},
    )

    assert desired_states(pushing, "customer_id::text, name, email") == [
        (anna["customer_id"], "Анна", "anna@example.com")
    ]


def test_two_ids_under_one_phone_are_two_rows(pushing: Pushing) -> None:
    anna, boris = pushing.people(2)
    phone = next(NEW_PHONES)
    pushing.set_desired(phone=phone, name="Кто-то")

    take(
        pushing,
        {"customer_id": anna["customer_id"], "phone": phone, "name": "Анна"},
        {"customer_id": boris["customer_id"], "phone": phone, "name": "Борис"},
    )

    assert desired_states(pushing, "customer_id::text, name") == [
        (anna["customer_id"], "Анна"),
        (boris["customer_id"], "Борис"),
    ]


def test_line_finds_the_row_whose_phone_was_written_otherwise(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.set_desired(phone=f"8 {phone[2:5]} {phone[5:]}", name="Иван")

    take(pushing, {"phone": phone, "email": "ivan@example.com"})

    assert desired_states(pushing, "name, email") == [("Иван", "ivan@example.com")]


# links by phone


def test_row_linked_by_phone_is_looked_up_before_its_first_write(pushing: Pushing) -> None:
    anna, boris = pushing.people(2)
    pushing.add(id=[anna["customer_id"]])
    pushing.pull()
    before = pushing.in_syrve(anna["customer_id"])
    pushing.change_in_syrve(anna, phone=next(NEW_PHONES))  # gives the number up,
    pushing.change_in_syrve(boris, phone=anna["phone"])  # and its next owner registers with it
    crm_id = pushing.set_desired(
        phone=anna["phone"], name="Борис", email="boris@example.com", birthday=date(1980, 2, 3)
    )

    pushing.push()
    assert pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id) == boris["customer_id"]
    assert pushing.sent() == []
    rounds(pushing, 2)

    after = pushing.in_syrve(anna["customer_id"])
    assert (after.name, after.email, after.birthday) == (before.name, before.email, before.birthday)
    assert pushing.in_syrve(boris["customer_id"]).email == "boris@example.com"


def test_link_by_phone_is_confirmed_once_and_written(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    crm_id = pushing.set_desired(phone=anna["phone"], name="Маркетинг")

    assert pushing.push().changed == 1
    pushing.edit(crm_id, name="Продажи")
    assert pushing.push().changed == 1

    assert [operation for operation, _ in pushing.outcomes()] == [
        "customer_info",
        "create_or_update",
        "create_or_update",
    ]


def test_link_by_a_phone_that_nobody_has_any_more_ends(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    pushing.change_in_syrve(anna, phone=next(NEW_PHONES))
    crm_id = pushing.set_desired(phone=anna["phone"], name="Борис")

    assert pushing.push().changed == 0
    pushing.pull()
    assert pushing.push().changed == 1

    assert pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id) != anna["customer_id"]
    assert pushing.in_syrve(anna["customer_id"]).name != "Борис"


def test_push_never_creates_over_a_phone_of_a_deleted_customer(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    pushing.execute("update syrve.customer set is_deleted = true, fetched_at = now() - interval '1 hour'")
    crm_id = pushing.set_desired(phone=anna["phone"], name="Новая")
    assert (pushing.plan().creates, pushing.plan().waiting) == (0, 1)

    pushing.simulator.control.remove_customer(pushing.organization_id, anna["customer_id"])
    pushing.pull()
    plan = pushing.plan()

    assert (plan.creates, plan.refused) == (0, 1)
    assert blocked(pushing) == {
        crm_id: "the mirror has a deleted customer with this phone, and Syrve finds no other customer under it"
    }


# rows that are about one customer


def test_joined_row_gives_what_is_written_into_it_later(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    first = pushing.set_desired_of(anna, name="Один", receives_promo=False)
    second = pushing.set_desired_of(anna, surname="Вторая", receives_promo=True)
    rounds(pushing, 2)
    assert desired_states(pushing, "name, surname, receives_promo")[0] == ("Один", "Вторая", False), "a no stays"

    pushing.edit(second, email="anna@example.com")
    rounds(pushing, 2)

    person = pushing.in_syrve(anna["customer_id"])
    assert (person.name, person.surname, person.email, person.receives_promo) == (
        "Один",
        "Вторая",
        "anna@example.com",
        False,
    )
    assert blocked(pushing) == {}
    pushing.execute("delete from crm.customer where crm_id = %s", first)
    pushing.edit(second, name="Другое")
    rounds(pushing, 2)
    assert pushing.in_syrve(anna["customer_id"]).name == "Другое", "it goes its own way again"


def test_row_about_a_taken_phone_is_joined_once_looked_up(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    pushing.set_desired_of(anna, name="Анна")
    pushing.push()
    pushing.set_desired(phone=anna["phone"], email="anna@example.com")

    rounds(pushing)

    assert pushing.in_syrve(anna["customer_id"]).email == "anna@example.com"
    assert blocked(pushing) == {}


@pytest.mark.parametrize("number", [2, 3])
def test_customers_who_pass_phones_round_get_them(pushing: Pushing, number: int) -> None:
    people = pushing.mirrored(number)
    phones = [person["phone"] for person in people]
    crm_ids = [pushing.set_desired_of(person, phone=person["phone"]) for person in people]
    pushing.plan()
    wanted = phones[1:] + phones[:1]
    for crm_id, phone in zip(crm_ids, wanted, strict=True):
        pushing.edit(crm_id, phone=phone)

    rounds(pushing, number + 2)

    assert [pushing.in_syrve(person["customer_id"]).phone for person in people] == wanted
    assert blocked(pushing) == {}
    assert pushing.value("select count(*) from crm.push where outcome = 'refused'") == 0


def test_merged_customer_is_followed_to_who_has_the_phone(pushing: Pushing) -> None:
    gone, kept = pushing.mirrored(2)
    crm_id = pushing.set_desired_of(gone, name="Имя", phone=gone["phone"], email="one@example.com")
    pushing.push()
    pushing.look_up()
    pushing.simulator.control.remove_customer(pushing.organization_id, gone["customer_id"])
    pushing.change_in_syrve(kept, phone=gone["phone"], email="one@example.com")
    pushing.look_up()
    pushing.edit(crm_id, name="Новое имя")

    rounds(pushing)

    assert desired_states(pushing, "customer_id::text") == [(kept["customer_id"],)]
    assert pushing.in_syrve(kept["customer_id"]).name == "Новое имя"
    assert blocked(pushing) == {}


# phones


@pytest.mark.parametrize("phone", ["8900123456", "80291234567", "00 995 555 12 34 56", "+9001234567"])
def test_nobody_is_created_under_a_number_that_nobody_can_have(pushing: Pushing, phone: str) -> None:
    crm_id = pushing.set_desired(phone=phone, name="Новый")

    pushing.push()

    assert pushing.sent() == []
    assert "phone is no" in blocked(pushing)[crm_id]


def test_phone_is_not_changed_to_a_number_that_nobody_can_have(pushing: Pushing) -> None:
    [anna] = pushing.mirrored()
    crm_id = pushing.set_desired_of(anna, phone=anna["phone"])
    pushing.plan()
    pushing.edit(crm_id, phone="8900123456")

    pushing.push()

    assert pushing.sent() == []
    assert blocked(pushing) == {crm_id: "phone is not a valid number"}


def test_phone_that_is_no_number_in_syrve_is_asked_about(pushing: Pushing) -> None:
    [person] = pushing.people()
    pushing.change_in_syrve(person, phone="+7495123")
    pushing.add(id=[person["customer_id"]])
    pushing.pull()
    pushing.set_desired_of(person, phone=next(NEW_PHONES))

    plan = pushing.plan()

    assert (plan.updates, plan.asking) == (0, 1)
    assert pushing.value("select syrve_value from crm.conflict") == "+7495123"


@pytest.mark.parametrize("blank", ["\u00a0", "\t", "\n", "\u200b"])
def test_invisible_text_is_not_managed(pushing: Pushing, blank: str) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name=blank, surname=f"{blank}Фамилия{blank}")

    pushing.push()

    assert pushing.sent() == [{"id": person["customer_id"], "surname": "Фамилия"}]


def test_customer_of_the_crm_is_looked_up_under_one_identity(pushing: Pushing) -> None:
    people = pushing.people(5)
    for person in people:
        pushing.set_desired(phone=person["phone"])

    def take_over() -> None:
        job = RosterImport(pushing.warehouse, key=pushing.key("roster"), source="crm", region="RU")
        job.run(crm_rows(pushing.warehouse))

    take_over()
    pushing.pull()
    pushing.plan()
    take_over()
    pushing.make_due()

    assert pushing.pull().requested == 5
