"""Phones that lead astray: merged and deleted customers, phones that were passed on, answers about somebody else."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import requests

from crm.test_push_identity import blocked, desired_states, rejects, rounds, take
from fixtures.answers import EMPTY
from fixtures.pushes import NEW_PHONES, Pushing, agreed_on, received
from syrve_simulator.control import RawAnswer


def delete_in_syrve(pushing: Pushing, person: Any) -> None:
    """Mark a customer as deleted: they keep their phone, and look-ups say that they are deleted."""
    api = f"{pushing.simulator.url}/api/1"
    token = requests.post(f"{api}/access_token", json={"apiLogin": "demo-login"}, timeout=10).json()["token"]
    body = {"organizationId": pushing.organization_id, "customerIds": [person["customer_id"]]}
    path = f"{api}/loyalty/iiko/delete_customers"
    answer = requests.post(path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json()["deleted"] == 1


def answer_with(pushing: Pushing, person: Any, phones: Sequence[str]) -> None:
    """Look-ups under these phones are answered with somebody who has another."""
    record = EMPTY | {"id": person["customer_id"], "phone": person["phone"], "name": "Другой", "walletBalances": []}
    body = json.dumps(record).encode()
    answers = [RawAnswer(pushing.organization_id, phone, body, 200, "customer_info") for phone in phones]
    pushing.simulator.control.put_raw_answers(answers)


def merge_in_syrve(pushing: Pushing, gone: Any, kept: Any) -> None:
    """Leave one of two records of a person, by the names and the birthday that the other had."""
    pass_on(pushing, gone, kept, **known_of(pushing, gone))


def pass_on(pushing: Pushing, gone: Any, other: Any, **fields: Any) -> None:
    """Take a customer away, and give their phone to another one."""
    pushing.simulator.control.remove_customer(pushing.organization_id, gone["customer_id"])
    pushing.change_in_syrve(other, phone=gone["phone"], **fields)


def known_of(pushing: Pushing, person: Any) -> dict[str, Any]:
    """Names and birthday as the mirror has them."""
    query = "select name, surname, birthday::text from syrve.customer where customer_id = %s"
    return dict(zip(("name", "surname", "birthday"), pushing.rows(query, person["customer_id"])[0], strict=True))


# merged


def test_row_refused_for_a_merge_follows_the_phone(pushing: Pushing) -> None:
    """Its pushes were refused until it was set aside, and only then a look-up showed why."""
    gone, kept = pushing.mirrored(2)
    row = pushing.set_desired_of(gone, name="Анна", phone=gone["phone"])
    pushing.set_desired_of(kept, surname="Общая")
    rounds(pushing, 1)
    pushing.edit(row, email="anna@example.com")
    merge_in_syrve(pushing, gone, kept)
    for _ in range(3):
        pushing.push()
    assert "Transport_WrongCustomerId" in blocked(pushing)[row]

    rounds(pushing, 4)

    assert blocked(pushing) == {}
    assert pushing.in_syrve(kept["customer_id"]).email == "anna@example.com"


def test_refusal_makes_the_customer_due_at_once(pushing: Pushing) -> None:
    gone, kept = pushing.mirrored(2)
    pushing.set_desired_of(gone, name="Анна")
    merge_in_syrve(pushing, gone, kept)
    assert pushing.pull().requested == 0

    assert pushing.push().rejected == 1

    assert pushing.pull().requested == 1
    assert pushing.value("select is_deleted from syrve.customer where customer_id = %s", gone["customer_id"]) is True


# deleted


def test_row_of_a_deleted_customer_with_a_phone_ends_blocked(cloud_pushing: Pushing) -> None:
    person, row = agreed_on(cloud_pushing, name="Анна")
    cloud_pushing.edit(row, phone=person["phone"])
    delete_in_syrve(cloud_pushing, person)
    cloud_pushing.look_up()
    cloud_pushing.edit(row, name="Новое")
    rounds(cloud_pushing, 3)

    assert blocked(cloud_pushing) == {row: "the customer is deleted in Syrve"}
    cloud_pushing.simulator.control.reset_calls()
    for _ in range(3):
        cloud_pushing.push()
        cloud_pushing.pull()
    assert received(cloud_pushing, "customer_info") == 0, "it is not asked about repeatedly"


def test_new_row_with_the_phone_of_a_deleted_customer_waits(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.people()
    delete_in_syrve(cloud_pushing, person)
    row = cloud_pushing.set_desired(phone=person["phone"], name="Анна")

    rounds(cloud_pushing, 4)

    assert cloud_pushing.sent() == []
    assert blocked(cloud_pushing) == {row: "the customer is deleted in Syrve"}


def test_customer_seen_deleted_before_the_write_is_not_written(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    cloud_pushing.set_desired(phone=person["phone"], name="Анна")
    delete_in_syrve(cloud_pushing, person)

    assert cloud_pushing.push().unchanged == 1

    assert cloud_pushing.sent() == []


# deleted, and their phone passed on

STRANGER = "the customer is deleted in Syrve, and their phone is another person's now: name the customer by id"


def deleted_row(pushing: Pushing, **of_the_other: Any) -> tuple[Any, int]:
    """A row whose customer is gone and whose phone another one has by now; the CRM edits it. Returns that other one, and the row."""
    gone, other = pushing.mirrored(2)
    pushing.change_in_syrve(gone, birthday="1990-05-15")
    row = pushing.set_desired_of(gone, name="Анна", surname="Ёлкина", email="anna@example.com", phone=gone["phone"])
    rounds(pushing, 2)
    pass_on(pushing, gone, other, **of_the_other)
    pushing.look_up()
    pushing.edit(row, middle_name="Новое", receives_promo=True)
    pushing.simulator.control.reset_calls()
    rounds(pushing, 4)
    return other, row


@pytest.mark.parametrize(
    "fields",
    [
        {"birthday": "1971-01-01", "name": "Анна", "surname": "Ёлкина"},
        {"birthday": None, "name": "Борис", "surname": "Ёлкина"},
        {"birthday": None, "name": "анна", "surname": "Волкова"},
    ],
    ids=["birthday", "name", "surname"],
)
def test_phone_of_a_deleted_customer_leads_to_no_stranger(pushing: Pushing, fields: dict[str, Any]) -> None:
    other, row = deleted_row(pushing, email="other@example.com", **fields)

    assert blocked(pushing) == {row: STRANGER}
    assert pushing.sent() == []

    pushing.execute("update crm.customer set customer_id = %s where crm_id = %s", other["customer_id"], row)
    rounds(pushing, 2)

    assert blocked(pushing) == {}
    assert pushing.in_syrve(other["customer_id"]).middle_name == "Новое", "a person has said who it is"


@pytest.mark.parametrize(
    "fields",
    [
        {"birthday": "1990-05-15", "name": "Аня", "surname": "Волкова", "email": "other@example.com"},
        {"birthday": "1971-01-01", "name": "Аня", "surname": "Волкова", "email": "Anna@Example.com"},
        {"birthday": None, "name": "АННА", "surname": "Елкина", "email": "other@example.com"},
        {"birthday": None, "name": None, "surname": None, "email": None},
    ],
    ids=["birthday", "e-mail", "names", "nothing known"],
)
def test_phone_of_a_deleted_customer_leads_to_the_same_person(pushing: Pushing, fields: dict[str, Any]) -> None:
    other, _ = deleted_row(pushing, **fields)

    assert blocked(pushing) == {}
    assert pushing.in_syrve(other["customer_id"]).middle_name == "Новое"


def test_answer_under_the_id_of_the_deleted_one_is_believed(pushing: Pushing) -> None:
    """Syrve itself says whom a record was merged into, however different the two are."""
    other, row = deleted_row(pushing, birthday="1971-01-01", name="Борис", email="other@example.com")
    assert blocked(pushing) == {row: STRANGER}
    deleted_id = pushing.value("select customer_id::text from syrve.customer where is_deleted")
    pushing.execute(
        "update sync.roster set outcome = 'found', customer_id = %s where identity_kind = 'id' and identity_value = %s",
        other["customer_id"],
        deleted_id,
    )
    pushing.execute("select crm.retry_row(%s)", row)

    rounds(pushing, 3)

    assert desired_states(pushing, "customer_id::text") == [(other["customer_id"],)]


# answers about somebody else


def test_answer_about_another_phone_links_no_row(pushing: Pushing) -> None:
    """One customer is answered under every phone: the rows must not be joined, nor written over that customer."""
    [person] = pushing.people()
    before = pushing.in_syrve(person["customer_id"])
    phones = [next(NEW_PHONES) for _ in range(4)]
    rows = [pushing.set_desired(phone=phone, name=f"Имя {phone}") for phone in phones]
    answer_with(pushing, person, phones)

    rounds(pushing, 3)

    assert pushing.sent() == []
    assert pushing.in_syrve(person["customer_id"]) == before
    assert desired_states(pushing, "customer_id, phone") == [(None, phone) for phone in phones]
    assert all("with another phone" in blocked(pushing)[row] for row in rows)


def test_answer_of_a_pull_about_another_phone_links_no_row(pushing: Pushing) -> None:
    one, other = pushing.mirrored(2)
    row = pushing.set_desired_of(one, name="Анна", email="anna@example.com", phone=one["phone"])
    rounds(pushing, 1)
    pushing.simulator.control.remove_customer(pushing.organization_id, one["customer_id"])
    pushing.look_up()
    pushing.edit(row, name="Новое")
    answer_with(pushing, other, [one["phone"]])

    rounds(pushing, 3)

    assert pushing.in_syrve(other["customer_id"]).name != "Новое"
    assert "with another phone" in blocked(pushing)[row]
    pushing.simulator.control.clear_raw_answers()
    pushing.change_in_syrve(other, phone=one["phone"], email="anna@example.com")
    rounds(pushing, 3)
    assert pushing.in_syrve(other["customer_id"]).name == "Новое", "once Syrve says that the phone is theirs"


# a customer of two organizations


def test_customer_of_two_organizations_is_two_for_the_crm(pushing: Pushing) -> None:
    control = pushing.simulator.control
    here, there = (each["organization_id"] for each in control.organizations())
    phones = {each["customer_id"]: each["phone"] for each in control.customers(here) if each["phone"]}
    shared = next(each["customer_id"] for each in control.customers(there) if each["customer_id"] in phones)
    with pushing.client() as client:
        before = client.customer_by_id(there, shared)
    pushing.set_desired(phone=phones[shared], name="Здесь")
    pushing.set_desired(organization_id=there, phone=phones[shared], name="Там")
    take(pushing, {"phone": phones[shared], "surname": "Здешняя"})

    rounds(pushing, 3)

    assert (pushing.in_syrve(shared).name, pushing.in_syrve(shared).surname) == ("Здесь", "Здешняя")
    with pushing.client() as client:
        assert client.customer_by_id(there, shared) == before, "the other organization was not planned"
    assert desired_states(pushing, "customer_id::text, surname") == [(shared, "Здешняя"), (None, None)]


# phones that were passed on


def test_line_by_a_phone_that_was_passed_on_is_rejected(pushing: Pushing) -> None:
    anna, boris = pushing.mirrored(2)
    pushing.set_desired_of(anna, name="Анна", phone=anna["phone"])
    rounds(pushing, 1)
    pushing.change_in_syrve(anna, phone=next(NEW_PHONES))
    pushing.change_in_syrve(boris, phone=anna["phone"])
    pushing.look_up()

    take(pushing, {"phone": anna["phone"], "name": "Борис", "email": "boris@example.com"})

    assert desired_states(pushing, "name, email") == [("Анна", None)]
    assert rejects(pushing) == ["this phone is another customer's in Syrve by now: name the customer by id"]


def test_line_by_a_phone_that_nobody_took_over_finds_its_row(pushing: Pushing) -> None:
    anna, _ = pushing.mirrored(2)
    pushing.set_desired_of(anna, name="Анна", phone=anna["phone"])
    rounds(pushing, 1)
    pushing.change_in_syrve(anna, phone=next(NEW_PHONES))
    pushing.look_up()

    take(pushing, {"phone": anna["phone"], "email": "anna@example.com"})

    assert desired_states(pushing, "name, email") == [("Анна", "anna@example.com")]


def test_row_gets_a_phone_once_its_holder_gives_it_up(pushing: Pushing) -> None:
    person, row = agreed_on(pushing, name="Анна")
    [holder] = pushing.mirrored()
    pushing.edit(row, phone=holder["phone"])
    pushing.execute("update crm.field_policy set policy = 'crm' where field = 'phone'")
    try:
        rounds(pushing, 2)
        assert blocked(pushing) == {row: "another customer has this phone in Syrve"}
        pushing.change_in_syrve(holder, phone=next(NEW_PHONES))
        rounds(pushing, 3)
    finally:
        pushing.execute("update crm.field_policy set policy = 'ask' where field = 'phone'")

    assert blocked(pushing) == {}
    assert pushing.in_syrve(person["customer_id"]).phone == holder["phone"]
    assert pushing.value("select count(*) from crm.push where outcome = 'refused'") == 0


def test_phone_of_a_customer_unknown_so_far_is_looked_up(pushing: Pushing) -> None:
    person, row = agreed_on(pushing, name="Анна")
    pushing.execute("update crm.customer set phone = %s where crm_id = %s", person["phone"], row)
    pushing.plan()
    [holder] = pushing.people()
    pushing.edit(row, phone=holder["phone"])

    rounds(pushing, 3)

    assert blocked(pushing) == {row: "another customer has this phone in Syrve"}


def test_three_who_swap_here_and_there_get_their_phones(pushing: Pushing) -> None:
    """The CRM passes three phones round one way while Syrve does it the other way, and a file says it once more."""
    people = pushing.mirrored(3)
    phones = [person["phone"] for person in people]
    for person in people:
        pushing.set_desired_of(person, phone=person["phone"])
    rounds(pushing, 1)
    for person, phone in zip(people, [next(NEW_PHONES), *phones[:2]], strict=True):
        pushing.change_in_syrve(person, phone=phone)
    pushing.change_in_syrve(people[0], phone=phones[2])
    wanted = phones[1:] + phones[:1]
    take(pushing, *({"customer_id": p["customer_id"], "phone": phone} for p, phone in zip(people, wanted, strict=True)))

    rounds(pushing, 3)
    pushing.execute("update crm.conflict set decision = 'crm' where closed_at is null and outcome = 'waits'")
    rounds(pushing, 6)

    assert [pushing.in_syrve(person["customer_id"]).phone for person in people] == wanted
    assert blocked(pushing) == {}
