"""Runs: what the DAGs did, by day and run by run."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from syrve.ui.access import PersonDep
from syrve.ui.columns import day_chart
from syrve.ui.dags import sentence
from syrve.ui.render import page
from syrve.ui.store import reading

router = APIRouter()
CHARTS = (
    ("requested", "Looked up"),
    ("changed", "Changed"),
    ("rejected", "Rejected"),
    ("retries", "Retries"),
    ("rate_limited", "Refused for rate (429)"),
    ("calls", "Calls"),
)


@router.get("/runs")
def runs(request: Request, person: PersonDep) -> HTMLResponse:
    """Show what runs did."""
    with reading("read the runs") as read:
        days = read.rows("runs_by_day")
        newest = read.rows("runs")
    for run in newest:
        run["sentence"] = sentence(run["dag_id"], "success", run)
    charts = [day_chart(days, column, title) for column, title in CHARTS] if days else []
    return page(request, person, "runs", days=days, runs=newest, charts=charts)
