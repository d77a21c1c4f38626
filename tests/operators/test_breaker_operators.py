"""A breaker is decided through Airflow by two people, for exactly what was held when they were asked."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from fixtures.airflow import Running, task_context
from syrve.approvals.book import RunOf
from syrve.approvals.breaker import HeldBack, decide_breaker
from syrve.approvals.errors import NotApproved, NothingToDecide
from syrve.operators.breaker import SyrveDecideBreakerOperator, SyrveShowBreakerOperator
from syrve.operators.breaker_approval import SyrveApproveBreakerOperator
from syrve.warehouse.database import Warehouse

HELD = 25
HOLD = """
with identity as (
    insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at, checked_at, outcome, customer_id)
    values (%(organization)s, 'id', %(customer)s, 'test', now() + interval '1 day', now(), 'failed', %(customer)s)
    returning organization_id, identity_kind, identity_value, customer_id
)
insert into sync.held_back (organization_id, identity_kind, identity_value, breaker_id, customer_id, answer, held_at)
select organization_id, identity_kind, identity_value, %(breaker)s, customer_id, 'not_found', clock_timestamp() from identity
"""


def test_name_of_an_organization_is_no_markup() -> None:
    now = datetime.now(UTC)
    name = "Shop` [all is well](https://evil.example)"

    held = HeldBack(1, "let_through", "push", "name", name, 100, 20, now, now, "0" * 64, 90)

    assert held.text().startswith("`Shop  [all is well](https://evil.example)`: 90 customer(s) of whom")


class Run:
    """One run of syrve_decide_breaker, its tasks executed by hand."""

    def __init__(self, warehouse: Warehouse, organization_id: str) -> None:
        self.warehouse = warehouse
        self.organization_id = organization_id
        self.asked: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}
        self.breaker_id = self.value(
            "insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed) "
            "values (%(organization)s, 'customers_gone', 'pull', 100, 25, 20) returning breaker_id"
        )
        self.hold(range(HELD))

    def hold(self, numbers: range) -> None:
        for number in numbers:
            with self.warehouse.transaction("test") as cursor:
                customer = str(UUID(int=number + 1))
                values = {"organization": self.organization_id, "breaker": self.breaker_id, "customer": customer}
                cursor.execute(HOLD, values)

    def value(self, query: str) -> Any:
        with self.warehouse.transaction("test") as cursor:
            cursor.execute(query, {"organization": self.organization_id})
            row = cursor.fetchone()
            return row[0] if row else None

    def show(self, choice: str) -> dict[str, Any]:
        self.shown = self._execute(SyrveShowBreakerOperator, breaker_id=str(self.breaker_id), choice=choice)
        return self.shown

    def ask(self) -> Any:
        return self._execute(SyrveApproveBreakerOperator, **self._decided())

    def answer(self, user: str) -> Any:
        event = {
            "chosen_options": self.asked["options"][:1],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": user, "name": user},
            "timedout": False,
        }
        operator = self._operator(SyrveApproveBreakerOperator, **self._decided())
        return operator.execute_complete(self._context(), event)

    def decide(self) -> Any:
        return self._execute(SyrveDecideBreakerOperator, **self._decided())

    def _decided(self) -> dict[str, Any]:
        return {name: str(self.shown[name]) for name in ("breaker_id", "decision", "as_of")}

    def _execute(self, operator_class: Callable[..., Any], **params: Any) -> Any:
        return self._operator(operator_class, **params).execute(self._context())

    def _operator(self, operator_class: Callable[..., Any], **params: Any) -> Any:
        with DAG("dag", schedule=None):
            return operator_class(task_id="task", **params)

    def _context(self) -> Any:
        context = task_context(run_id="run-1")
        context["ti"].id = "1"
        started = SimpleNamespace(run_type="manual", triggering_user_name="asker")
        return context | {"task_instance": context["ti"], "dag_run": started}


@pytest.fixture
def run(running: Running, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Run:
    one = Run(warehouse, "5f4e0004-0000-4000-8000-000000000001")
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **details: one.asked.update(details)
    )
    return one


def test_preview_tells_both_decisions_and_decides_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert run.show("Preview")["decision"] is None

    assert (
        f"{HELD} customer(s) of whom Syrve says that they are gone, have lost what was known of them, or are another person, "
        "of 100 when it tripped" in caplog.text
    )
    assert "Let through: " in caplog.text
    assert "Drop: " in caplog.text
    for step in (run.ask, run.decide):
        with pytest.raises(AirflowSkipException):
            step()
    assert run.value("select count(*) from sync.breaker where decision is not null") == 0


def test_let_through_takes_another_person_than_who_started_it(run: Run) -> None:
    run.show("Let through")
    with pytest.raises(TaskAwaitingInput):
        run.ask()
    with pytest.raises(NotApproved):
        run.decide()
    with pytest.raises(TaskAwaitingInput):
        run.answer("asker")
    with pytest.raises(NotApproved):
        run.decide()

    run.answer("ops")

    assert run.decide() == {"due": HELD}
    assert run.decide() == {"due": 0}, "cleared, it does nothing"
    assert run.value("select decision from sync.breaker") == "let_through"
    assert (
        run.value(
            "select decided_by from sync.approval_state where approval_id = (select approval_id from sync.breaker)"
        )
        == "ops"
    )
    assert run.value("select count(*) from sync.held_back where let_through_at is not null") == HELD
    assert run.value("select count(*) from sync.roster where due_at <= now()") == HELD


def test_what_was_held_after_the_question_waits_for_another(run: Run) -> None:
    run.show("Let through")
    with pytest.raises(TaskAwaitingInput):
        run.ask()
    run.hold(range(HELD, HELD + 7))
    run.answer("ops")

    assert run.decide() == {"due": HELD}

    assert run.value("select affected from sync.breaker where decision is null") == 7
    assert run.value("select count(*) from sync.held_back where let_through_at is null") == 7
    waiting = run.value("select breaker_id from sync.breaker where decision is null")
    run.breaker_id = waiting
    assert run.show("Preview")["held"] == 7


def test_drop_needs_one_person_and_keeps_everybody(run: Run) -> None:
    run.show("Drop")
    assert run.ask() is None

    assert run.decide() == {"due": HELD}

    assert run.value("select decision from sync.breaker") == "dropped"
    assert run.value("select count(*) from sync.held_back") == 0


def test_approval_to_drop_lets_nothing_through(run: Run) -> None:
    shown = run.show("Drop")
    run.ask()

    with pytest.raises(NotApproved):
        decide_breaker(run.warehouse, run.breaker_id, "let_through", as_of=shown["as_of"], run=RunOf("dag", "run-1"))
    with pytest.raises(NotApproved):
        decide_breaker(run.warehouse, run.breaker_id, "dropped", as_of=shown["as_of"], run=RunOf("dag", "run-2"))
    with pytest.raises(NotApproved):
        decide_breaker(run.warehouse, run.breaker_id, "dropped", as_of=shown["as_of"], run=RunOf("another", "run-1"))
    assert run.value("select count(*) from sync.breaker where decision is not null") == 0


def test_breaker_that_does_not_wait_names_those_that_do(run: Run) -> None:
    run.breaker_id, known = 7_777, run.breaker_id

    with pytest.raises(NothingToDecide, match=rf"these do: {known} \(customers_gone\)"):
        run.show("Preview")


def test_breaker_that_was_decided_meanwhile_stays_as_it_was(run: Run) -> None:
    run.show("Drop")
    run.ask()
    run.value(f"select sync.let_through({run.breaker_id})")

    with pytest.raises(NothingToDecide, match="decided in between"):
        run.decide()
    assert run.value("select decision from sync.breaker") == "let_through"
