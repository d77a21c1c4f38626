"""What a plan sends and what it leaves: the three-way comparison, the policies, and rows that cannot be pushed."""

from datetime import date
from typing import Any

from fixtures.pushes import NEW_PHONES, Pushing, agreed_on, conflicts, remote_changes

NOTHING = "00000000-0000-4000-8000-000000000001"


def blocked(pushing: Pushing) -> dict[int, str]:
    return dict(pushing.rows("select crm_id, reason from crm.push_blocked where stage = 'plan'"))


def test_equal_values_become_agreed_without_a_call(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    known = pushing.in_syrve(person["customer_id"])
    crm_id = pushing.set_desired_of(person, phone=known.phone, name=known.name, surname=known.surname)
    pushing.simulator.control.reset_calls()

    plan = pushing.plan()

    assert (plan.size, plan.agreed, plan.conflicts) == (0, 1, 0)
    assert pushing.value("select agreed from crm.push_state where crm_id = %s", crm_id) == {
        name: value
        for name, value in (("phone", known.phone), ("name", known.name), ("surname", known.surname))
        if value is not None
    }
    assert pushing.simulator.control.calls()["received"] == 0
    assert pushing.plan().considered == 0, "what is settled is not looked at again"


def test_null_and_blank_fields_are_not_managed(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="  ", email=None)

    assert pushing.plan().size == 0


def test_change_of_the_crm_is_planned_field_by_field(pushing: Pushing) -> None:
    _, crm_id = agreed_on(pushing, name="Было", surname="Осталась", birthday=date(1990, 5, 15))

    pushing.edit(crm_id, name="Стало", birthday=date(1991, 5, 15))
    plan = pushing.plan()

    assert pushing.changes(plan) == {crm_id: {"name": ("Было", "Стало"), "birthday": ("1990-05-15", "1991-05-15")}}
    assert plan.fields == {"name": 1, "birthday": 1}


def test_change_in_syrve_alone_is_shown_to_the_crm_and_not_undone(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, name="Было", surname="Осталась")
    pushing.change_in_syrve(person, name="Гость сказал")
    pushing.look_up()

    plan = pushing.plan()

    assert (plan.size, plan.conflicts) == (0, 0)
    assert remote_changes(pushing) == [("name", "Было", "Гость сказал")]
    pushing.edit(crm_id, name="Гость сказал")
    assert pushing.plan().size == 0
    assert remote_changes(pushing) == [], "taken over"


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"name": "Ivan"}, "has neither an id nor a usable phone"),
    ({"phone": "not a phone"}, "has neither an id nor a usable phone"),
    ({"phone": "+79759980001", "birthday": date(1066, 1, 1)}, "birthday is not a possible one"),
    ({"phone": "+79759980002", "name": "x" * 1001}, "a text is longer than 1,000 characters"),
    ({"phone": "+79759980003", "name": "x", "clear": ["name"]}, "a field is both set and to be emptied"),
]


def test_unfit_rows_are_refused_with_the_reason_and_the_others_go_on(pushing: Pushing) -> None:
    expected = {pushing.set_desired(**columns): reason for columns, reason in UNFIT}
    good = pushing.set_desired(phone=next(NEW_PHONES), name="Ivan")

    plan = pushing.plan()

    assert (plan.refused, plan.creates) == (len(UNFIT), 1)
    assert blocked(pushing) == expected
    assert sum(each.rows for each in plan.newly_refused) == len(UNFIT)
    again = pushing.plan()
    assert (again.refused, again.newly_refused) == (0, ()), "told once"
    assert list(pushing.changes(again)) == [good]


def test_refused_row_goes_again_when_its_data_change_or_it_is_released(pushing: Pushing) -> None:
    crm_id = pushing.set_desired(phone="not a phone")
    pushing.plan()

    assert pushing.plan(release_blocked=True).refused == 1
    pushing.execute("delete from crm.push_blocked")
    assert pushing.plan().refused == 1
    pushing.edit(crm_id, phone=next(NEW_PHONES))
    assert pushing.plan().creates == 1
    assert blocked(pushing) == {}


def test_two_rows_about_one_customer_do_not_fight(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    first = pushing.set_desired_of(person, name="Один")
    second = pushing.set_desired_of(person, name="Два")
    phone = next(NEW_PHONES)
    third, fourth = pushing.set_desired(phone=phone), pushing.set_desired(phone=phone)

    plan = pushing.plan()

    assert pushing.changes(plan)[first]["name"][1] == "Два", "what was written later"
    assert set(pushing.changes(plan)) == {first, third}
    assert blocked(pushing) == {}
    joined = "select crm_id, joined_to from crm.push_state where joined_to is not null order by 1"
    assert pushing.rows(joined) == [(second, first), (fourth, third)]


def test_row_without_an_id_finds_its_customer_in_the_mirror_by_phone(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    national = person["phone"].replace("+7", "8", 1)
    crm_id = pushing.set_desired(phone=national, name="Маркетинг")

    plan = pushing.plan()

    assert (plan.creates, plan.updates) == (0, 1)
    assert (
        pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id) == person["customer_id"]
    )


def test_customer_who_is_not_mirrored_yet_waits_for_a_look_up_that_is_asked_for(pushing: Pushing) -> None:
    [person] = pushing.people()
    pushing.set_desired_of(person, name="Маркетинг")

    assert (pushing.plan().waiting, pushing.plan().size) == (1, 0)

    pushing.pull()
    assert pushing.plan().updates == 1


def test_id_that_syrve_does_not_know_is_refused_once_looked_up(pushing: Pushing) -> None:
    pushing.set_desired(customer_id=NOTHING, name="Маркетинг")
    assert pushing.plan().waiting == 1

    pushing.pull()

    assert pushing.plan().refused == 1
    assert list(blocked(pushing).values()) == ["Syrve knows no customer with this id"]


def test_deleted_customer_is_not_pushed(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Маркетинг")
    pushing.simulator.control.remove_customer(pushing.organization_id, person["customer_id"])
    pushing.look_up()

    assert pushing.plan().waiting == 1, "for a look-up under the phone, which may be another customer's now"
    pushing.look_up()
    assert pushing.plan().refused == 1
    assert list(blocked(pushing).values()) == ["the customer is deleted in Syrve"]


def test_clearing_is_refused_under_the_reference_dialect_before_any_call(pushing: Pushing) -> None:
    _, crm_id = agreed_on(pushing, email="old@example.com", name="Было")
    pushing.edit(crm_id, email=None, clear=["email"], name="Стало")
    pushing.simulator.control.reset_calls()

    assert pushing.push().requested == 0
    assert blocked(pushing) == {crm_id: "emptying a field needs the dialect cloud"}
    assert pushing.simulator.control.calls()["received"] == 0


def test_clearing_empties_the_field_under_cloud_and_keeps_to_the_agreement(cloud_pushing: Pushing) -> None:
    person, crm_id = agreed_on(cloud_pushing, email="old@example.com", name="Было")
    cloud_pushing.edit(crm_id, email=None, clear=["email"])

    assert cloud_pushing.push().changed == 1

    assert cloud_pushing.in_syrve(person["customer_id"]).email is None
    assert cloud_pushing.sent()[-1] == {"id": person["customer_id"], "email": "", "nullifyEmptyFields": True}
    cloud_pushing.look_up()
    assert cloud_pushing.plan().size == 0
    cloud_pushing.change_in_syrve(person, email="guest@example.com")
    cloud_pushing.look_up()
    assert cloud_pushing.plan().size == 0, "the guest's new address is not emptied again"
    assert remote_changes(cloud_pushing) == [("email", None, "guest@example.com")]


def test_order_status_consent_is_refused_under_cloud_which_has_no_such_field(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    known = cloud_pushing.in_syrve(person["customer_id"])
    crm_id = cloud_pushing.set_desired_of(person, receives_order_status=False)
    cloud_pushing.execute("update syrve.customer set receives_order_status = true")

    assert cloud_pushing.plan().refused == 1
    assert blocked(cloud_pushing) == {crm_id: "receives_order_status cannot be sent under the dialect cloud"}
    assert known.customer_id == person["customer_id"]


def test_field_that_is_no_longer_managed_is_forgotten(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    pushing.edit(crm_id, name=None)
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()
    assert pushing.plan().size == 0
    assert remote_changes(pushing) == []
    pushing.edit(crm_id, name="Было")

    assert pushing.changes(pushing.plan()) == {crm_id: {"name": ("Касса", "Было")}}


def test_row_that_names_another_customer_starts_without_an_agreement(pushing: Pushing) -> None:
    _, crm_id = agreed_on(pushing, name="Было")
    [other] = pushing.mirrored()
    pushing.edit(crm_id, customer_id=other["customer_id"])

    pushing.plan()

    assert [row[3] for row in conflicts(pushing)] in ([None], []), "the old agreement is not the other customer's"
    assert pushing.value("select customer_id::text from crm.push_state") == other["customer_id"]


def test_limit_bounds_the_customers_of_a_plan(pushing: Pushing) -> None:
    crm_ids = [pushing.set_desired(phone=next(NEW_PHONES)) for _ in range(5)]

    plan = pushing.plan(limit=2)

    assert list(pushing.changes(plan)) == crm_ids[:2]


def test_deleted_rows_of_the_crm_leave_nothing_behind(pushing: Pushing) -> None:
    person, crm_id = agreed_on(pushing, name="Было")
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()
    pushing.edit(crm_id, name="Маркетинг")
    pushing.plan()
    pushing.execute("delete from crm.customer")

    pushing.plan()

    for table in ("push_state", "remote_change", "push_blocked"):
        assert pushing.value(f"select count(*) from crm.{table}") == 0, table
    assert conflicts(pushing) == []


def test_plan_tells_counts_and_field_names_and_no_values(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Секретное")
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, 'TRACK77')", crm_id)

    told = pushing.plan().summary()

    assert "1 updates, 1 membership changes" in told
    assert told.endswith("fields: card 1, name 1")
    assert "Секретное" not in told
    assert "TRACK77" not in told
