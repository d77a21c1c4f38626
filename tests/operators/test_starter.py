"""Money takes two people: a run of which it is in doubt who decided what it does plans none."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.utils.types import DagRunType

from syrve.approvals.book import ApprovalBook, Content, RunOf
from syrve.approvals.errors import NotApproved
from syrve.operators import settings
from syrve.operators.base import planning_run_of, run_of
from syrve.operators.starter import PLAN_WITHIN, doubt_about_starter
from syrve.warehouse.database import Warehouse

CONTENT = Content("topup", "campaign c, version 1", "a" * 64, 1)
OTHER = Content("topup", "campaign c, version 2", "b" * 64, 1)


def started(run_type: DagRunType, **given: Any) -> SimpleNamespace:
    """A run as a task sees it, by default as if one user had just started it."""
    known = {"clear_number": 0, "run_after": datetime.now(UTC), "triggering_user_name": "anna"}
    return SimpleNamespace(run_type=run_type, **(known | given))


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (started(DagRunType.MANUAL), ""),
        (started(DagRunType.ASSET_MATERIALIZATION), ""),
        (started(DagRunType.SCHEDULED, triggering_user_name=None), ""),
        (started(DagRunType.ASSET_TRIGGERED, triggering_user_name=None), ""),
        (started(DagRunType.OPERATOR_TRIGGERED, triggering_user_name=None), ""),
        (started(DagRunType.MANUAL, triggering_user_name=None), "who started it"),
        (started(DagRunType.ASSET_MATERIALIZATION, triggering_user_name=""), "who started it"),
        (started(DagRunType.BACKFILL_JOB), "backfill"),
        (started(DagRunType.MANUAL, clear_number=1), "cleared"),
        (started(DagRunType.SCHEDULED, triggering_user_name=None, clear_number=1), "cleared"),
        (started(DagRunType.MANUAL, run_after=datetime.now(UTC) - PLAN_WITHIN - timedelta(minutes=1)), "24 hours"),
    ],
)
def test_doubt_is_what_airflow_does_not_show(run: SimpleNamespace, reason: str) -> None:
    doubt = doubt_about_starter({"dag_run": run})

    assert (reason in doubt) if reason else doubt == ""


@pytest.mark.parametrize(("max_tries", "is_cleared"), [(4, False), (5, True), (None, False)])
def test_task_that_was_cleared_alone_shows_it_by_its_tries(max_tries: int | None, is_cleared: bool) -> None:
    context = {"dag_run": started(DagRunType.MANUAL), "ti": SimpleNamespace(max_tries=max_tries)}

    assert ("cleared" in doubt_about_starter(context | {"task": SimpleNamespace(retries=4)})) == is_cleared


@pytest.mark.parametrize("kind", ["topup", "release", "breaker"])
def test_cleared_run_plans_nothing_but_what_it_planned(warehouse: Warehouse, kind: Any) -> None:
    first, other = (Content(kind, each.subject, each.digest, 1) for each in (CONTENT, OTHER))
    ApprovalBook(warehouse, RunOf("dag", "run", "anna")).plan(first)
    cleared = ApprovalBook(warehouse, RunOf("dag", "run", "anna", "it was cleared"))

    cleared.plan(first)
    with pytest.raises(NotApproved, match="it was cleared; start another run"):
        cleared.plan(other)
    with pytest.raises(NotApproved, match="did not plan"):
        cleared.ask(other)


@pytest.mark.parametrize("alone", [True, False])
def test_shop_of_one_person_may_clear(monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    monkeypatch.setattr(settings, "SELF_APPROVAL", alone)
    context: Any = {
        "ti": SimpleNamespace(dag_id="dag"),
        "run_id": "run",
        "dag_run": started(DagRunType.MANUAL, clear_number=1),
    }

    assert (run_of(context).doubt == "") == alone


def planning(warehouse: Warehouse, instance_id: str, try_number: int, run: SimpleNamespace) -> RunOf:
    """The run as its planning task finds it in a try."""
    ti = SimpleNamespace(dag_id="dag", task_id="plan", id=instance_id, try_number=try_number)
    context: Any = {"ti": ti, "run_id": "run", "dag_run": run}
    return planning_run_of(context, warehouse)


def test_plan_that_is_tried_again_is_in_no_doubt(warehouse: Warehouse) -> None:
    run = started(DagRunType.MANUAL)
    first, second = str(uuid4()), str(uuid4())

    found = [planning(warehouse, each, number, run) for each, number in ((first, 1), (first, 1), (second, 2))]

    assert [each.doubt for each in found] == ["", "", ""]


def test_plan_whose_task_was_made_again_is_in_doubt(warehouse: Warehouse) -> None:
    run = started(DagRunType.MANUAL)
    planning(warehouse, str(uuid4()), 1, run)

    again = planning(warehouse, str(uuid4()), 1, run)

    assert "deleted and made again" in again.doubt
    with pytest.raises(NotApproved, match="deleted and made again"):
        ApprovalBook(warehouse, again).plan(CONTENT)


def test_run_made_anew_under_an_old_id_is_its_own(warehouse: Warehouse) -> None:
    planning(warehouse, str(uuid4()), 1, started(DagRunType.MANUAL))

    assert planning(warehouse, str(uuid4()), 1, started(DagRunType.MANUAL)).doubt == ""
