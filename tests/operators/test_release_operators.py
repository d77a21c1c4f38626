"""The release as Airflow runs it: choose, ask a person, cancel; by hand only a look, and no personal data in question or log."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from fixtures.airflow import SetConnection, task_context
from fixtures.pulls import RunningSimulator
from fixtures.releases import Releasing
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.api.errors import ConfigurationError
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.approvals.errors import NotApproved, QuestionOutdated
from syrve.operators.release import SyrvePlanReleaseOperator, SyrveReleaseHoldsOperator
from syrve.operators.release_approval import SyrveApproveReleaseOperator
from syrve.release.errors import AnswerUnclear
from syrve.release.question import KEEP_REST, RELEASE_ALL, RELEASE_NONE
from syrve.wallet.errors import UnusableOperation
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=50, seed=31) as process:
        yield process


@pytest.fixture
def purse(
    simulator: SimulatorProcess, warehouse: Warehouse, warehouse_connection: None, set_connection: SetConnection
) -> Iterator[Purse]:
    connect(set_connection, simulator)
    yield from open_purse(simulator, warehouse, SyrveConfig(simulator.url, "demo-login"))


def connect(set_connection: SetConnection, simulator: RunningSimulator, **extra: Any) -> None:
    extras = {"budgets": dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)} | extra
    fields = {"conn_type": "syrve", "host": simulator.url, "password": "demo-login"}
    set_connection("syrve_default", **fields, extra=json.dumps(extras))


class Run:
    """One run of the DAG, its tasks executed by hand; `asked` is what Airflow was given to ask."""

    def __init__(self, purse: Purse) -> None:
        self.releasing = Releasing(purse)
        self.asked: dict[str, Any] = {}
        self.plan: dict[str, Any] = {}
        self.started_by = "asker"

    def execute(self, operator_class: Callable[..., Any], run_type: str = "manual", **params: Any) -> Any:
        return self._operator(operator_class, **params).execute(self._context(run_type))

    def choose(self, **params: Any) -> dict[str, Any]:
        self.plan = self.execute(SyrvePlanReleaseOperator, **({"is_dry_run": "False", "min_age_minutes": "0"} | params))
        return self.plan

    def ask(self) -> Any:
        return self.execute(SyrveApproveReleaseOperator, request_id=self.plan["request_id"], answer_hours="0.5")

    def answer(self, *chosen: str) -> Any:
        """Resume the task in a fresh process, as Airflow does: nothing of the asking one is left but what it asked."""
        event = {
            "chosen_options": [each for each in self.asked["options"] if any(one in each for one in chosen)],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": "7", "name": "ops"},
            "timedout": False,
        }
        return self.resume(event)

    def resume(self, event: dict[str, Any]) -> Any:
        operator = self._operator(SyrveApproveReleaseOperator, request_id=self.plan["request_id"])
        return operator.execute_complete(self._context("manual"), event)

    def release(self) -> Any:
        return self.execute(SyrveReleaseHoldsOperator, request_id=self.plan["request_id"])

    def _operator(self, operator_class: Callable[..., Any], **params: Any) -> Any:
        with DAG("dag", schedule=None):
            return operator_class(task_id="task", **params)

    def _context(self, run_type: str) -> Any:
        context = task_context(run_id="run-1")
        context["ti"].id = "1"
        started = SimpleNamespace(run_type=run_type, triggering_user_name=self.started_by)
        return context | {"task_instance": context["ti"], "dag_run": started}


@pytest.fixture
def run(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> Run:
    one = Run(purse)
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **details: one.asked.update(details)
    )
    return one


def test_chosen_holds_are_shown_approved_and_cancelled(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chosen, kept = run.releasing.dangling("10.00"), run.releasing.dangling("20.00")

    plan = run.choose()
    with pytest.raises(TaskAwaitingInput) as waiting:
        run.ask()
    decided = run.answer(chosen, KEEP_REST)
    counts = run.release()

    assert (plan["holds"], plan["amount"]) == (2, "30.00")
    assert json.loads(json.dumps(plan)) == plan
    assert (run.asked["multiple"], run.asked["defaults"], run.asked["subject"]) == (
        True,
        None,
        "Release 2 hold(s) of 30.00 in all?",
    )
    assert len(run.asked["options"]) == 5
    assert waiting.value.timeout == timedelta(minutes=30)
    assert decided == {"approved": 1, "kept": 1}
    assert (counts["requested"], counts["changed"]) == (1, 1)
    assert run.releasing.finding(chosen) == ("released", True)
    assert run.releasing.finding(kept) == ("acknowledged", False)
    assert run.releasing.purse.value("select decided_by from wallet.release_state where hold_id = %s", chosen) == "ops"
    assert f"Hold {chosen}: released" in caplog.text


def test_question_and_logs_hold_no_person(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    purse = run.releasing.purse
    run.releasing.dangling()
    run.choose()
    with pytest.raises(TaskAwaitingInput):
        run.ask()
    run.answer(RELEASE_ALL)
    run.release()

    (guest,) = purse.simulator.control.customers_page(purse.organization_id, offset=purse.place, limit=1)
    told = json.dumps(run.asked, default=str) + caplog.text
    assert purse.customer_id not in json.dumps(run.asked, default=str)
    assert guest["phone"] is None or guest["phone"].lstrip("+") not in told


def test_run_by_hand_only_looks_unless_its_form_says_otherwise(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hold_id = run.releasing.dangling()

    plan = run.choose(is_dry_run=None)

    assert (plan["request_id"], plan["holds"]) == (None, 1)
    assert "Preview, no one is asked: 1 hold(s) of 30.00 in all" in caplog.text
    assert f"Hold {hold_id}" in caplog.text
    with pytest.raises(AirflowSkipException):
        run.ask()
    by_schedule = {"is_dry_run": None, "min_age_minutes": 0}
    assert run.execute(SyrvePlanReleaseOperator, run_type="scheduled", **by_schedule)["request_id"] is not None


def test_nothing_to_ask_skips_the_rest(run: Run) -> None:
    assert run.choose()["request_id"] is None
    with pytest.raises(AirflowSkipException):
        run.ask()


@pytest.mark.parametrize("no", ["rejected", "no answer in time"])
def test_no_cancels_nothing_and_skips_the_release(run: Run, no: str) -> None:
    hold_id = run.releasing.dangling()
    run.choose()

    if no == "rejected":
        with pytest.raises(TaskAwaitingInput):
            run.ask()
        assert run.answer(RELEASE_NONE) == {"left": 1}
    else:
        assert run.resume({"error": "too late", "error_type": "timeout"}) == {"expired": 1}
    with pytest.raises(AirflowSkipException):
        run.release()

    assert (run.releasing.cancels, run.releasing.purse.holds) == (0, ["open"])
    assert run.releasing.finding(hold_id) == ("open", False)


def test_answer_that_contradicts_itself_releases_nothing_and_may_be_given_again(run: Run) -> None:
    run.releasing.dangling()
    run.choose()
    with pytest.raises(TaskAwaitingInput):
        run.ask()

    with pytest.raises(AnswerUnclear):
        run.answer(RELEASE_ALL, RELEASE_NONE)
    with pytest.raises(TaskAwaitingInput):
        run.ask()

    assert AnswerUnclear.retry_after_seconds is None
    assert run.answer(RELEASE_ALL) == {"approved": 1}


def test_tasks_that_are_cleared_ask_nobody_and_cancel_nothing_again(run: Run) -> None:
    run.releasing.dangling()
    run.choose()
    with pytest.raises(TaskAwaitingInput):
        run.ask()
    run.answer(RELEASE_ALL)
    run.release()

    assert run.ask() == {"released": 1}
    assert run.release()["unchanged"] == 1
    assert run.releasing.cancels == 1


def test_who_started_the_run_can_not_approve_it(run: Run) -> None:
    hold_id = run.releasing.dangling()
    run.started_by = "OPS"
    run.choose()
    with pytest.raises(TaskAwaitingInput):
        run.ask()

    with pytest.raises(TaskAwaitingInput) as waiting:
        run.answer(RELEASE_ALL)

    assert waiting.value.timeout <= timedelta(minutes=30)
    assert run.releasing.states(hold_id) == ["asked"]
    with pytest.raises(NotApproved):
        run.release()
    told = "select state, requested_by, decided_by, decided_by_id from sync.approval_event"
    assert run.releasing.purse.rows(told) == [("not_counted", "OPS", "ops", "7")]
    assert run.answer(RELEASE_NONE) == {"left": 1}, "anybody may say no"


def test_answer_to_a_question_about_other_content_does_not_count(run: Run) -> None:
    run.releasing.dangling("10.00")
    run.choose()
    with pytest.raises(TaskAwaitingInput):
        run.ask()
    run.releasing.dangling("20.00")
    run.choose()

    with pytest.raises(QuestionOutdated):
        run.answer(RELEASE_ALL)

    assert run.releasing.cancels == 0
    assert run.releasing.purse.value("select count(*) from sync.approval_event") == 0


def test_amount_that_is_none_is_refused_in_words(run: Run) -> None:
    for amount in ("-1", "0", "much"):
        with pytest.raises(UnusableOperation, match="amount"):
            run.choose(max_amount=amount)


def test_choice_of_the_form_reaches_the_plan(run: Run) -> None:
    small, large = run.releasing.dangling("10.00", rule="stale_hold"), run.releasing.dangling("20.00")

    assert run.choose(is_dry_run=True)["hold_ids"] == [large]
    assert run.choose(is_dry_run=True, rules="['stale_hold']", min_severity="high")["hold_ids"] == [small]
    assert run.choose(is_dry_run=True, rules="['stale_hold']", min_severity="critical")["holds"] == 0
    assert run.choose(is_dry_run=True, finding_ids=str(run.releasing.findings))["holds"] == 2
    assert run.choose(is_dry_run=True, finding_ids=run.releasing.findings, max_holds="1")["left_out"] == 1
    assert run.choose(is_dry_run=True, max_amount="19.99")["left_out"] == 1
    assert run.choose(is_dry_run=True, min_age_minutes=None)["holds"] == 0, "an hour where the form says nothing"


def test_organizations_are_those_of_the_connection(run: Run, purse: Purse, set_connection: SetConnection) -> None:
    run.releasing.dangling()
    second = purse.simulator.control.organizations()[1]["organization_id"]
    connect(set_connection, purse.simulator, organization_ids=[second])

    assert run.choose(is_dry_run=True)["holds"] == 0
    with pytest.raises(ConfigurationError):
        run.choose(is_dry_run=True, organization_ids=[purse.organization_id])
    assert purse.balance == Decimal("100.00")
