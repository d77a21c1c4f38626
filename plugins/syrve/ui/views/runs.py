"""Runs: what the DAGs did, by day and run by run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from syrve.reports.run_words import COUNT_OTHER_THINGS
from syrve.ui.access import PersonDep
from syrve.ui.dags import dag_names, sentence
from syrve.ui.render import count, page
from syrve.ui.store import Row, reading

router = APIRouter()
DAYS = 14
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
        days = read.rows("runs_by_day", not_looking_up=list(COUNT_OTHER_THINGS))
        newest = read.rows("runs")
    for run in newest:
        run["sentence"] = sentence(run["dag_id"], "success", run)
    days = _every_day(days)
    charts = [_chart(days, *each) for each in CHARTS]
    return page(request, person, "runs", days=days, runs=newest, names=dag_names(), charts=charts)


def _every_day(rows: list[Row]) -> list[Row]:
    """Return a row for each of the last days up to today, also where no run counted anything."""
    known = {row["day"].astimezone(UTC).date(): row for row in rows}
    today = datetime.now(UTC).date()
    places = [today - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    return [
        {"day": place} | {column: int(known.get(place, {}).get(column) or 0) for column, _ in CHARTS}
        for place in places
    ]


def _chart(days: list[Row], column: str, title: str) -> dict[str, Any]:
    """Return a chart's title, total and, for those who do not see it, what stands out."""
    most = max(days, key=lambda row: int(row[column]))
    total = sum(row[column] for row in days)
    label = f"{count(total)} in all, most on {most['day']:%d %B}: {count(most[column])}" if total else "none"
    return {"column": column, "title": title, "total": count(total), "label": label}
