"""A push that would change one field of too many customers waits for a person, who lets it through or drops it."""

from dataclasses import replace

import pytest

from fixtures.pushes import IMPATIENT_PUSH, Pushing
from syrve.crm.errors import PushHeldBack
from syrve.crm.verdict import check_held_back
from syrve.warehouse.limits import BreakerSettings

PEOPLE = 6


@pytest.fixture
def many(pushing: Pushing) -> Pushing:
    """Six customers of the CRM, agreed with Syrve, of whom three may change in one field at once."""
    pushing.push_settings = replace(IMPATIENT_PUSH, breaker=BreakerSettings(share=0.5, at_least=1))
    for person in pushing.mirrored(PEOPLE):
        pushing.set_desired_of(person, surname="Фамилия", middle_name="Отчество")
    pushing.push_settings = replace(pushing.push_settings, breaker=BreakerSettings(share=1.0))
    pushing.push()
    pushing.look_up()
    pushing.plan()
    pushing.execute("update crm.push_plan set finished_at = finished_at - interval '25 hours'")
    pushing.push_settings = replace(pushing.push_settings, breaker=BreakerSettings(share=0.5, at_least=1))
    pushing.simulator.control.reset_calls()
    return pushing


def decide(pushing: Pushing, how: str) -> None:
    pushing.execute(f"select sync.{how}(breaker_id) from sync.breaker where decision is null")


def change(pushing: Pushing, number: int, surname: str) -> None:
    pushing.execute(
        "update crm.customer set surname = %s where crm_id in (select crm_id from crm.customer order by 1 limit %s)",
        surname,
        number,
    )


def test_few_changes_go_without_a_question(many: Pushing) -> None:
    change(many, PEOPLE // 2, "Иная")

    assert many.push().changed == PEOPLE // 2
    assert many.value("select count(*) from sync.breaker") == 0


def test_many_changes_of_a_field_are_held_and_the_others_go(many: Pushing) -> None:
    change(many, PEOPLE - 1, "Иная")
    many.execute("update crm.customer set middle_name = 'Иное' where crm_id = (select max(crm_id) from crm.customer)")

    plan = many.plan()

    assert (plan.held_back, plan.updates) == (PEOPLE - 1, 1)
    assert [(each.field, each.customers) for each in plan.held] == [("surname", PEOPLE - 1)]
    assert many.apply(plan).changed == 1
    with pytest.raises(PushHeldBack, match="let_through"):
        check_held_back(plan)
    assert many.plan().held_back == PEOPLE - 1, "as long as nobody decides"
    assert many.value("select count(*) from sync.breaker") == 1


def test_what_a_person_lets_through_is_sent(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    decide(many, "let_through")

    assert many.push().changed == PEOPLE
    many.look_up()
    assert many.plan().size == 0


def test_what_a_person_drops_is_not_sent_until_written_anew(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    decide(many, "drop_held_back")

    assert (many.plan().size, many.plan().held_back) == (0, 0)
    change(many, 2, "Третья")
    assert many.push().changed == 2


def test_other_values_than_those_let_through_are_a_new_question(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    decide(many, "let_through")
    change(many, PEOPLE, "Третья")

    plan = many.plan()

    assert (plan.size, plan.held_back) == (0, PEOPLE)
    assert many.value("select count(*) from sync.breaker") == 2


def test_decision_holds_for_no_other_customer_of_the_row(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    decide(many, "let_through")
    rows = many.rows("select crm_id from crm.customer order by 1")
    for (crm_id,), person in zip(rows, many.mirrored(PEOPLE), strict=True):
        many.edit(crm_id, customer_id=person["customer_id"])

    assert (many.plan().size, many.plan().held_back) == (0, PEOPLE)


def test_change_that_another_breaker_takes_over_is_held_anew(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    asked_at = many.value("select clock_timestamp()")
    many.execute(
        "with other as (insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed, decision, decided_at) "
        "select organization_id, kind, field, run_id, looked, affected, allowed, 'recovered', now() from sync.breaker "
        "returning breaker_id) "
        "update crm.push_held_back set breaker_id = (select breaker_id from other)"
    )
    many.plan()

    assert many.value("select count(*) from crm.push_held_back where held_at <= %s", asked_at) == 0


def test_question_ends_by_itself_once_the_crm_takes_it_back(many: Pushing) -> None:
    change(many, PEOPLE, "Иная")
    many.plan()
    change(many, PEOPLE, "Фамилия")

    assert (many.plan().size, many.plan().held_back) == (0, 0)
    assert many.value("select decision from sync.breaker") == "recovered"


def test_nobody_steps_aside_for_a_row_that_is_held_back(many: Pushing) -> None:
    """Two swap phones, and one of them waits for a question about surnames: the other keeps a number of theirs."""
    rows = many.rows("select crm_id, customer_id::text from crm.customer order by 1")
    (first, one), (second, other) = rows[0], rows[-1]
    phones = [many.in_syrve(each).phone for each in (one, other)]
    for row, phone in zip((first, second), phones, strict=True):
        many.edit(row, phone=phone)
    many.plan()
    for row, phone in zip((first, second), reversed(phones), strict=True):
        many.edit(row, phone=phone)
    many.execute("update crm.customer set surname = 'Иная' where crm_id > %s", first)

    many.push()
    assert [many.in_syrve(each).phone for each in (one, other)] == phones
    decide(many, "let_through")
    for _ in range(4):
        many.push()
        many.look_up()

    assert [many.in_syrve(each).phone for each in (one, other)] == phones[::-1]


def test_wrong_answer_for_everybody_creates_nobody(pushing: Pushing) -> None:
    people = pushing.mirrored(5)
    pushing.simulator.control.set_switches(look_ups_find_nobody=True)
    pushing.look_up()
    for person in people:
        pushing.set_desired(phone=person["phone"], name="Новый")
    for _ in range(3):
        pushing.push()
        pushing.look_up()
    assert pushing.sent() == []

    pushing.simulator.control.set_switches(look_ups_find_nobody=False)
    for _ in range(3):
        pushing.look_up()
        pushing.push()
    assert pushing.value("select count(*) from crm.push_blocked") == 0
    assert [pushing.in_syrve(person["customer_id"]).name for person in people] == ["Новый"] * 5
