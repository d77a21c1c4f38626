"""The overview: how things stand in five figures, the connection, the DAGs, the budget, and what to do first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from syrve.hooks.syrve import SyrveHook
from syrve.reports.cells import money
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.dags import DagStatus, dag_statuses
from syrve.ui.render import count, page, percent, span
from syrve.ui.store import Reading, Row, note, reading

router = APIRouter()
CONNECT = (
    "Set the connection syrve_default, press Test below, then run syrve_customers once: it lists the organizations."
)
FILL = "Start syrve_roster_import with a file of phones, ids or cards from its inbox. Preview first."
MOST_ALERTS = 20
MOST_COUNTED = 10_000
"""Where counting stops: beyond it a person needs no exact number, and the page stays quick."""


@router.get("/")
async def overview(request: Request, person: PersonDep) -> HTMLResponse:
    """Show the overview."""
    known, dags = await asyncio.gather(run_in_threadpool(_known), dag_statuses(AirflowApi(request, person)))
    return page(request, person, "overview", **known, dags=dags, steps=_steps(known, dags), tested=None)


@router.post("/test-connection")
async def test_connection(request: Request, person: Annotated[Person, Depends(editor())]) -> HTMLResponse:
    """Test the connection to Syrve and show the overview with the result."""
    note(person, "test connection", {"connection": SyrveHook.default_conn_name})
    tested = await run_in_threadpool(_tested)
    known, dags = await asyncio.gather(run_in_threadpool(_known), dag_statuses(AirflowApi(request, person)))
    return page(request, person, "overview", **known, dags=dags, steps=_steps(known, dags), tested=tested)


def _tested() -> tuple[bool, str]:
    try:
        return SyrveHook().test_connection()
    except AirflowNotFoundException:
        return (
            False,
            f"There is no connection {SyrveHook.default_conn_name} in Airflow. Make one of the type Syrve Cloud.",
        )


def _known() -> dict[str, Any]:
    with reading("read the overview") as read:
        figures = read.row("overview", most_counted=MOST_COUNTED)
        fresh = read.rows("freshness")
        return {
            "figures": figures,
            "tiles": _tiles(figures, fresh),
            "organizations": read.rows("organizations"),
            "budgets": _budgets(read),
            "alerts": read.rows("alerts", most=MOST_ALERTS),
        }


def _budgets(read: Reading) -> list[Row]:
    used = {row["family"]: row for row in read.rows("calls")}
    budgets = read.rows("budgets")
    for budget in budgets:
        budget["calls"] = used.get(budget["family"], {}).get("calls", 0)
        budget["rate_limited"] = used.get(budget["family"], {}).get("rate_limited", 0)
        budget["share"] = min(1.0, float(budget["calls"]) / (24 * 60 * float(budget["calls_per_minute"])))
    return budgets


def _tiles(figures: Row, fresh: list[Row]) -> list[dict[str, str]]:
    waiting = sum(int(figures[name]) for name in ("approvals", "conflicts", "breakers", "blocked"))
    return [
        _freshness_tile(fresh),
        _tile(
            "Overdue",
            count(figures["overdue"], MOST_COUNTED),
            "look-ups are due now",
            "freshness",
            _over(figures["overdue"], 5_000),
        ),
        _tile(
            "Open rejects",
            count(figures["rejects"], MOST_COUNTED),
            "could not be imported",
            "rejects",
            _over(figures["rejects"], 0),
        ),
        _tile(
            "Waiting for a person",
            count(waiting),
            "approvals, conflicts, breakers, blocked rows",
            "inbox",
            _over(waiting, 0),
        ),
        _tile(
            "Money at risk",
            money(figures["at_risk"]),
            f"findings: {count(figures['findings'], MOST_COUNTED)}; open holds: {count(figures['holds'], MOST_COUNTED)}, "
            f"{money(figures['held'])} held",
            "holds",
            "bad" if figures["grave"] else _over(figures["findings"], 0),
        ),
    ]


def _freshness_tile(fresh: list[Row]) -> dict[str, str]:
    found = sum(row["found"] for row in fresh)
    if not found:
        return _tile("Freshness", "not known", "counted by each run of syrve_customers", "freshness", "none")
    delays = [(row["found"], row["expected_mean_delay"]) for row in fresh if row["expected_mean_delay"] is not None]
    weight = sum(each for each, _ in delays) or 1
    # In seconds: a timedelta holds no 1,000 days of a million customers.
    delay = timedelta(seconds=sum(each * length.total_seconds() for each, length in delays) / weight)
    shares = ", ".join(
        f"{age_text}: {percent(sum(row[f'fresher_than_{name}'] for row in fresh) / found)}"
        for name, age_text in (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"))
    )
    kept = all(row["keeps_max_age"] is not False for row in fresh)
    return _tile("Expected delay", span(delay), f"share fresher than {shares}", "freshness", "good" if kept else "warn")


def _tile(name: str, figure: str, meaning: str, view: str, status: str) -> dict[str, str]:
    return {"name": name, "figure": figure, "meaning": meaning, "view": view, "status": status}


def _over(number: int, allowed: int) -> str:
    return "warn" if number > allowed else "good"


def _steps(known: dict[str, Any], dags: list[DagStatus]) -> list[dict[str, Any]]:
    """Return the first steps; none once all are done."""
    figures = known["figures"]
    armed = any(dag.is_armed for dag in dags if dag.dag_id == "syrve_customers")
    steps = [
        (bool(known["organizations"]), "Connect to Syrve", CONNECT),
        (figures["has_roster"], "Fill the roster", FILL),
        (figures["has_customers"], "Pull customers", "Start syrve_customers, or wait for its schedule."),
        (armed, "Turn on the schedules", "Unpause syrve_customers, then the other DAGs that you need."),
    ]
    if all(done for done, _, _ in steps):
        return []
    return [{"done": done, "title": title, "text": text} for done, title, text in steps]
