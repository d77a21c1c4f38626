"""A push that drips: many small plans of a day are judged like a large one."""

from dataclasses import replace

import pytest

from crm.test_push_held_back import PEOPLE, change, decide, many
from fixtures.pushes import IMPATIENT_PUSH, Pushing
from syrve.warehouse.limits import BreakerSettings

__all__ = ["many"]
ALLOWED = PEOPLE // 2


def change_one(pushing: Pushing, number: int, surname: str = "Иная") -> int:
    """Change a customer of the CRM, push, and return how many rows were held back."""
    pushing.execute(
        "update crm.customer set surname = %s where crm_id = (select crm_id from crm.customer order by 1 offset %s limit 1)",
        surname,
        number,
    )
    plan = pushing.plan()
    pushing.apply(plan)
    return plan.held_back


def in_syrve(pushing: Pushing, surname: str = "Иная") -> int:
    customer_ids = pushing.rows("select customer_id::text from crm.customer")
    return sum(pushing.in_syrve(customer_id).surname == surname for (customer_id,) in customer_ids)


def test_small_plans_of_a_day_are_judged_together(many: Pushing) -> None:
    held = [change_one(many, number) for number in range(PEOPLE)]

    assert held == [0] * ALLOWED + [1, 2, 3]
    assert in_syrve(many) == ALLOWED
    assert many.rows("select field, looked, affected, allowed from sync.breaker") == [
        ("surname", PEOPLE, ALLOWED + 1, ALLOWED)
    ]


def test_customer_who_is_changed_again_counts_once(many: Pushing) -> None:
    for number in range(ALLOWED):
        assert change_one(many, number) == 0
    for surname in ("Вторая", "Третья"):
        many.look_up()
        assert change_one(many, 0, surname) == 0

    assert many.value("select count(*) from sync.breaker") == 0


def test_pushes_of_the_day_before_are_not_counted(many: Pushing) -> None:
    for number in range(ALLOWED):
        change_one(many, number)
    many.execute("update crm.push_plan set finished_at = finished_at - interval '25 hours'")

    assert [change_one(many, number) for number in range(ALLOWED, PEOPLE)] == [0] * (PEOPLE - ALLOWED)


def test_other_fields_are_not_counted(many: Pushing) -> None:
    many.execute(
        "update crm.customer set middle_name = 'Иное' where crm_id in (select crm_id from crm.customer limit %s)",
        ALLOWED,
    )
    assert many.push().changed == ALLOWED
    many.look_up()

    assert [change_one(many, number) for number in range(ALLOWED)] == [0] * ALLOWED


def test_question_does_not_end_by_waiting(many: Pushing) -> None:
    for number in range(ALLOWED + 1):
        change_one(many, number)
    many.execute("update crm.push_plan set finished_at = finished_at - interval '25 hours'")
    many.execute("update sync.breaker set tripped_at = tripped_at - interval '25 hours'")

    assert many.plan().held_back == 1
    assert many.rows("select decision from sync.breaker") == [(None,)]


def test_what_a_person_lets_through_begins_the_day_anew(many: Pushing) -> None:
    for number in range(ALLOWED + 1):
        change_one(many, number)
    decide(many, "let_through")

    assert many.push().changed == 1
    many.look_up()
    assert change_one(many, ALLOWED + 1) == 0
    assert many.value("select count(*) from crm.push_plan where let_through = '{surname}'") == 1
    assert many.value("select count(*) from sync.breaker") == 1


def test_drop_does_not_begin_the_day_anew(many: Pushing) -> None:
    for number in range(ALLOWED + 1):
        change_one(many, number)
    decide(many, "drop_held_back")

    assert change_one(many, ALLOWED + 1) == 1
    assert in_syrve(many) == ALLOWED


def test_what_the_crm_takes_back_does_not_begin_the_day_anew(many: Pushing) -> None:
    for number in range(ALLOWED + 1):
        change_one(many, number)
    assert change_one(many, ALLOWED, "Фамилия") == 0
    assert many.value("select decision from sync.breaker") == "recovered"

    assert change_one(many, ALLOWED + 1) == 1


@pytest.mark.parametrize("consent", [True, False])
def test_no_to_messages_waits_for_no_other_question(many: Pushing, consent: bool) -> None:
    many.push_settings = replace(IMPATIENT_PUSH, breaker=BreakerSettings(share=1.0))
    for (customer_id,) in many.rows("select customer_id::text from crm.customer"):
        many.change_in_syrve({"customer_id": customer_id}, shouldReceivePromoActionsInfo=not consent)
    many.look_up()
    many.execute("update crm.customer set receives_promo = %s", not consent)
    for _ in range(2):
        many.push()
        many.look_up()
    assert many.rows("select distinct receives_promo from syrve.customer") == [(not consent,)]
    many.execute("update crm.push_plan set finished_at = finished_at - interval '25 hours'")
    many.push_settings = replace(IMPATIENT_PUSH, breaker=BreakerSettings(share=0.5, at_least=1))
    many.simulator.control.reset_calls()
    change(many, PEOPLE, "Иная")
    many.execute(
        "update crm.customer set receives_promo = %s where crm_id = (select min(crm_id) from crm.customer)", consent
    )

    plan = many.plan()
    many.apply(plan)

    assert plan.held_back == PEOPLE
    sent = [set(body) - {"id"} for body in many.sent()]
    assert sent == ([] if consent else [{"shouldReceivePromoActionsInfo"}])
    many.look_up()
    assert (many.plan().held_back, many.plan().size) == (PEOPLE, 0)
    decide(many, "let_through")
    assert many.push().changed == PEOPLE
