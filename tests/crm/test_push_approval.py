"""What was approved is what is sent: checked with each claim, and kept by the warehouse."""

from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from fixtures.pushes import Pushing, let_pass
from syrve.approvals.errors import NotApproved
from syrve.crm.plan import PushPlan
from syrve.crm.sending import RowSender
from syrve.warehouse.errors import WarehouseError

ONE_MORE = (
    "insert into crm.push_plan (plan_id, crm_id, organization_id, customer_id, action, changes, edited_at, agreed_version) "
    "select plan_id, crm_id + 1000000, organization_id, customer_id, action, changes, edited_at, agreed_version from crm.push_plan"
)


def planned(pushing: Pushing, people: int = 1) -> PushPlan:
    for number, person in enumerate(pushing.mirrored(people)):
        pushing.set_desired_of(person, surname=f"Новая{number}")
    pushing.simulator.control.reset_calls()
    return pushing.plan()


def test_plan_without_an_approval_is_not_sent(pushing: Pushing) -> None:
    plan = planned(pushing)

    with pytest.raises(NotApproved):
        pushing.send(plan)

    assert (pushing.sent(), list(pushing.states(plan).values())) == ([], ["planned"])


@pytest.mark.parametrize(
    "change",
    [
        "changes = jsonb_set(changes, '{surname,to}', '\"Чужая\"')",
        "customer_id = gen_random_uuid()",
        "organization_id = gen_random_uuid()",
        "phone = '+79990000000'",
        "action = 'create'",
        "plan_id = plan_id + 1",
        "crm_id = crm_id + 1",
    ],
)
def test_row_that_changes_after_approval_is_refused(pushing: Pushing, change: str) -> None:
    plan = planned(pushing)
    let_pass(pushing.warehouse, plan.plan_id)

    with pytest.raises(WarehouseError, match="push_plan_content_is_final"):
        pushing.execute(f"update crm.push_plan set {change}")

    assert pushing.send(plan).changed == 1
    assert [body["surname"] for body in pushing.sent()] == ["Новая0"]


def test_row_that_comes_after_the_question_is_refused(pushing: Pushing) -> None:
    plan = planned(pushing)
    let_pass(pushing.warehouse, plan.plan_id)

    with pytest.raises(WarehouseError, match="push_plan_asked_is_final"):
        pushing.execute(ONE_MORE)


def test_question_waits_for_who_is_adding_a_row(pushing: Pushing, warehouse_dsn: str) -> None:
    planned(pushing)
    ask = (
        "insert into sync.approval (kind, subject, digest, rows, dag_id, run_id, requested_by) "
        "select 'crm_push', 'plan ' || plan_id, repeat('0', 64), 1, 'push', 'run', '' from crm.push_plan limit 1"
    )
    adding = psycopg2.connect(warehouse_dsn)
    try:
        with adding.cursor() as cursor:
            cursor.execute(ONE_MORE)

        with pytest.raises(WarehouseError, match="LockNotAvailable"):
            pushing.execute(f"set local lock_timeout = '50ms'; {ask}")
    finally:
        adding.close()

    pushing.execute(ask)


def test_row_is_not_added_by_who_sees_the_past(pushing: Pushing) -> None:
    planned(pushing)

    with pytest.raises(WarehouseError, match="InvalidTransactionState"):
        pushing.execute(f"set transaction isolation level repeatable read; {ONE_MORE}")


def test_approval_is_looked_for_with_each_claim(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    pushing.push_settings = replace(pushing.push_settings, batch_size=1, max_concurrency=1)
    plan = planned(pushing, 3)
    let_pass(pushing.warehouse, plan.plan_id)
    push = RowSender.push

    def push_and_lose_the_approval(sender: RowSender, crm_id: int) -> Any:
        push(sender, crm_id)
        pushing.execute("truncate sync.approval cascade")

    monkeypatch.setattr(RowSender, "push", push_and_lose_the_approval)
    with pytest.raises(NotApproved):
        pushing.send(plan)

    assert sorted(pushing.states(plan).values()) == ["planned", "planned", "pushed"]
    assert pushing.rows("select 1 from crm.push_state where lease is not null") == []
