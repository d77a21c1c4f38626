"""Old plans and attempts go; what is under way, waits, or was agreed on stays."""

from dataclasses import replace

import pytest

from fixtures.pushes import NEW_PHONES, Pushing
from syrve.crm.retention import Pruned, PushRetention, prune_push
from syrve.warehouse.errors import WarehouseError


def age(pushing: Pushing, days: int) -> None:
    """Make everything that is there so much older."""
    pushing.execute("update crm.push_plan_summary set planned_at = planned_at - make_interval(days => %s)", days)
    pushing.execute("update crm.push set recorded_at = recorded_at - make_interval(days => %s)", days)
    pushing.execute("update crm.conflict set closed_at = closed_at - make_interval(days => %s)", days)


def left(pushing: Pushing) -> tuple[int, int, int]:
    return tuple(
        pushing.value(f"select count(*) from crm.{table}") for table in ("push_plan", "push", "push_plan_summary")
    )


def pushed(pushing: Pushing, number: int = 1) -> None:
    for person in pushing.mirrored(number):
        pushing.set_desired_of(person, middle_name="Новое")
    assert pushing.push().changed == number
    pushing.execute("delete from crm.conflict")


def test_rows_of_plans_go_before_the_attempts_and_both_in_batches(pushing: Pushing) -> None:
    pushed(pushing, 5)
    age(pushing, 31)
    pushing.set_desired(phone=next(NEW_PHONES))
    pushing.plan()

    assert prune_push(pushing.warehouse, PushRetention(batch_rows=2)) == Pruned(plan_rows=5)
    assert left(pushing) == (1, 5, 2), "the plan of today and all attempts stay"

    age(pushing, 400)
    assert prune_push(pushing.warehouse, PushRetention(batch_rows=2)) == Pruned(plan_rows=1, attempts=5, plans=2)
    assert left(pushing) == (0, 0, 0)
    assert prune_push(pushing.warehouse) == Pruned()


def test_what_was_agreed_on_stays_and_nothing_is_sent_again(pushing: Pushing) -> None:
    pushed(pushing)
    agreed = pushing.rows("select agreed, customer_id, pushed from crm.push_state")
    age(pushing, 400)

    prune_push(pushing.warehouse)

    assert pushing.rows("select agreed, customer_id, pushed from crm.push_state") == agreed
    assert pushing.push().requested == 0
    pushing.look_up()
    assert pushing.push().requested == 0


def test_row_that_waits_for_a_person_keeps_its_plan_and_attempts_until_it_is_released(pushing: Pushing) -> None:
    one, other = pushing.mirrored(2)
    pushing.execute("update syrve.customer set phone = null, phone_raw = null")
    pushing.set_desired_of(one, phone=other["phone"])
    for _ in range(3):
        assert pushing.push().rejected == 1
    age(pushing, 400)

    assert prune_push(pushing.warehouse) == Pruned()
    pushing.execute("delete from crm.push_blocked")
    assert prune_push(pushing.warehouse) == Pruned(plan_rows=3, attempts=3, plans=3)


def test_call_that_a_killed_task_left_behind_is_written_down_however_late(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, surname="Другая")
    pushing.plan()
    pushing.execute(
        """
        update crm.push_plan
        set attempt = jsonb_build_object(
            'operation', 'create_or_update', 'step', 0, 'fields', '["surname"]'::jsonb, 'run_id', 'dead', 'attempted_at', now()
        )
        """
    )
    age(pushing, 400)

    assert prune_push(pushing.warehouse) == Pruned()
    assert pushing.push().changed == 1
    assert ("create_or_update", "interrupted") in pushing.outcomes()
    assert prune_push(pushing.warehouse) == Pruned(plan_rows=1), "its attempts are of today"


def test_row_that_is_being_sent_is_not_taken_away(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, surname="Другая")
    pushing.plan()
    age(pushing, 400)
    pushing.execute("update crm.push_state set lease = 1, leased_until = now() + interval '1 minute'")

    assert prune_push(pushing.warehouse) == Pruned()


def test_closed_conflicts_go_and_open_ones_stay(pushing: Pushing) -> None:
    for state in ("null", "now()"):
        pushing.execute(
            "insert into crm.conflict (crm_id, organization_id, customer_id, field, policy, outcome, found_at, closed_at)"
            f" values (1, gen_random_uuid(), gen_random_uuid(), 'name', 'ask', 'waits', now() - interval '9 years', {state})"
        )
    age(pushing, 400)

    assert prune_push(pushing.warehouse) == Pruned(conflicts=1)
    assert pushing.rows("select closed_at from crm.conflict") == [(None,)]


@pytest.mark.parametrize(("plan_days", "attempt_days"), [(6, 365), (0, 0), (30, 29), (-1, 365)])
def test_retention_that_would_take_what_is_still_needed_is_refused(
    pushing: Pushing, plan_days: int, attempt_days: int
) -> None:
    pushed(pushing)
    age(pushing, 400)
    retention = replace(PushRetention(), plan_days=plan_days, attempt_days=attempt_days)

    with pytest.raises(WarehouseError, match="prune the push"):
        prune_push(pushing.warehouse, retention)

    assert left(pushing) == (1, 1, 1)
