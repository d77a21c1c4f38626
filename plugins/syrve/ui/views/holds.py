"""Holds: the open findings by rule and age, one finding's story, and a table to release or keep what they name."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.reports.cells import AGES, age_of, age_text, id_only
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.errors import PageError
from syrve.ui.render import page, run_id_only
from syrve.ui.store import Row, change, note, reading

router = APIRouter()
RELEASE_DAG = "syrve_release_holds"
MOST_FINDINGS = 10_000
MOST_SHOWN = 100
"""The form of syrve_release_holds takes no more findings either."""


@router.get("/holds")
def holds(request: Request, person: PersonDep, started: str = "") -> HTMLResponse:
    """Show the open findings."""
    with reading("read the findings") as read:
        sums = read.rows("findings_by_rule", most=MOST_FINDINGS)
        findings = read.rows("findings", most=MOST_SHOWN)
        evaluations = read.rows("evaluations")
    for finding in findings:
        finding["age"] = age_text(finding["age_seconds"])
        finding["subject"] = id_only(finding["subject"])
    return page(
        request, person, "holds", rules=_by_rule(sums), ages=AGES, findings=findings, evaluations=evaluations,
        most_shown=MOST_SHOWN, started=run_id_only(started),
    )  # fmt: skip


@router.get("/holds/{finding_id}")
def story(request: Request, person: PersonDep, finding_id: UUID) -> HTMLResponse:
    """Show what happened to one finding and to the money that it names."""
    with reading("read a finding") as read:
        found = read.rows("finding", finding_id=str(finding_id))
        if not found:
            raise PageError(404, "There is no such finding", "Open Holds and choose one.")
        events = read.rows("finding_story", finding_id=str(finding_id))
    for event in events:
        event["what"] = event["what"].replace("_", " ")
    return page(request, person, "finding", finding=found[0], events=events)


@router.post("/holds/decide")
async def decide(request: Request, person: Annotated[Person, Depends(editor(RELEASE_DAG))]) -> Response:
    """Start a release of the findings marked *release*, which another person approves; acknowledge those marked *keep*."""
    form = await request.form()
    answers = {
        str(name).removeprefix("finding:"): str(value)
        for name, value in form.items()
        if str(name).startswith("finding:")
    }
    chosen = {each: _ids(answers, each) for each in ("release", "keep")}
    if not chosen["release"] and not chosen["keep"]:
        raise PageError(
            400, "Nothing was chosen", "Nothing was changed. Choose Release or Keep for at least one finding."
        )
    if chosen["keep"]:
        await run_in_threadpool(_keep, person, chosen["keep"])
    started = ""
    if chosen["release"]:
        await run_in_threadpool(note, person, "ask for a release", {"finding_ids": chosen["release"]})
        conf = {"dry_run": False, "finding_ids": chosen["release"], "max_holds": len(chosen["release"])}
        started = await AirflowApi(request, person).trigger(RELEASE_DAG, conf)
    return RedirectResponse(
        f"{request.scope['root_path']}/holds?started={started}".replace("+", "%2B"), status_code=303
    )


def _ids(answers: dict[str, str], wanted: str) -> list[str]:
    try:
        return sorted(str(UUID(each)) for each, answer in answers.items() if answer == wanted)[:MOST_SHOWN]
    except ValueError:
        raise PageError(
            400, "The form has values that cannot be read", "Nothing was changed. Reload the page."
        ) from None


def _keep(person: Person, finding_ids: list[str]) -> None:
    change(
        "acknowledge findings", person, "keep holds", "acknowledge",
        lambda rows: {"finding_ids": sorted(str(row["finding_id"]) for row in rows)}, finding_ids=finding_ids,
    )  # fmt: skip


def _by_rule(sums: list[Row]) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = {}
    for row in sums:
        rule = rules.setdefault(
            row["rule"], {"rule": row["rule"], "findings": 0, "amount": 0, "ages": dict.fromkeys(AGES, 0)}
        )
        rule["findings"] += row["findings"]
        rule["amount"] += row["amount"]
        rule["ages"][age_of(row["age_seconds"])] += row["findings"]
    most = max((rule["findings"] for rule in rules.values()), default=1)
    for rule in rules.values():
        left, parts = 0.0, []
        for place, age in enumerate(AGES, start=1):
            width = 100 * rule["ages"][age] / most
            parts.append({"x": round(left, 2), "width": round(width, 2), "age": place})
            left += width
        rule["parts"] = parts
        rule["ages_text"] = ", ".join(f"{number:,} {age}" for age, number in rule["ages"].items() if number)
    return sorted(rules.values(), key=lambda rule: -rule["findings"])
