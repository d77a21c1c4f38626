"""Holds: the open findings by rule and age, one finding's story, and a table to release or keep what they name."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.findings.rules import Rule, all_rules
from syrve.reports.cells import AGES, age_of, age_text, id_only
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.errors import PageError
from syrve.ui.render import done, page
from syrve.ui.started import show_started, started_run
from syrve.ui.store import Row, change, note, reading

router = APIRouter()
RELEASE_DAG = "syrve_release_holds"
RECONCILE_DAG = "syrve_reconcile_holds"
MOST_DAYS = 31
"""Each is a run, three at a time."""
MOST_FINDINGS = 10_000
MOST_SHOWN = 100
"""The form of syrve_release_holds takes no more findings either."""


@router.get("/holds")
async def holds(request: Request, person: PersonDep, started: str = "", evaluating: str = "") -> HTMLResponse:
    """Show the open findings."""
    api = AirflowApi(request, person)
    found, run, evaluation = await asyncio.gather(
        run_in_threadpool(_read), started_run(api, RELEASE_DAG, started), started_run(api, RECONCILE_DAG, evaluating)
    )
    return page(
        request,
        person,
        "holds",
        **found,
        ages=AGES,
        most_shown=MOST_SHOWN,
        run=run,
        evaluation=evaluation,
        meanings=_meanings(),
    )


def _read() -> dict[str, Any]:
    with reading("read the findings") as read:
        sums = read.rows("findings_by_rule", most=MOST_FINDINGS)
        findings = read.rows("findings", most=MOST_SHOWN)
        evaluations = read.rows("evaluations")
        days = read.rows("days_not_evaluated")
    for finding in findings:
        finding["age"] = age_text(finding["age_seconds"])
        finding["subject"] = id_only(finding["subject"])
    return {"rules": _by_rule(sums), "findings": findings, "evaluations": evaluations, "days": days}


@router.get("/holds/{finding_id}")
def story(request: Request, person: PersonDep, finding_id: UUID) -> HTMLResponse:
    """Show what happened to one finding and to the money that it names."""
    with reading("read a finding") as read:
        found = read.rows("finding", finding_id=str(finding_id))
        if not found:
            raise PageError(404, "There is no such finding", "Open Holds and choose one.")
        events = read.rows("finding_story", finding_id=str(finding_id))
    for event in events:
        event |= {"what": event["what"].replace("_", " "), "id": id_only(event["id"])}
    finding = found[0] | {"order_id": id_only(found[0]["order_id"])}
    return page(request, person, "finding", finding=finding, events=events, meaning=_meanings().get(found[0]["rule"]))


@router.post("/holds/evaluate")
async def evaluate(
    request: Request,
    person: Annotated[Person, Depends(editor(RECONCILE_DAG))],
    first_day: Annotated[date, Form()],
    last_day: Annotated[date, Form()],
) -> Response:
    """Start a run for each of these days, as of its end in UTC or, where it has not ended, of now."""
    today = datetime.now(UTC).date()
    if not first_day <= last_day <= today or (last_day - first_day).days >= MOST_DAYS:
        raise PageError(
            400,
            "These days cannot be evaluated",
            f"Nothing was started. Choose at most {MOST_DAYS} days, none in the future.",
        )
    days = [first_day + timedelta(days=number) for number in range((last_day - first_day).days + 1)]
    await run_in_threadpool(note, person, "evaluate days", {"first": str(first_day), "last": str(last_day)})
    api, started = AirflowApi(request, person), ""
    for day in days:
        as_of = None if day == today else f"{day + timedelta(days=1)}T00:00:00Z"
        started = await api.trigger(RECONCILE_DAG, {"as_of": as_of})
    return RedirectResponse(
        f"{request.scope['root_path']}/holds?evaluating={quote(started, safe='')}#evaluated", status_code=303
    )


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
    return show_started(request, "holds", started) if started else done(request, "holds", "kept")


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


def _meanings() -> dict[str, Rule]:
    """Return the rules by name; a finding of a rule that is gone has none."""
    return {rule.name: rule for rule in all_rules()}


def _by_rule(sums: list[Row]) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = {}
    for row in sums:
        rule = rules.setdefault(
            row["rule"], {"rule": row["rule"], "findings": 0, "amount": 0, "ages": dict.fromkeys(AGES, 0)}
        )
        rule["findings"] += row["findings"]
        rule["amount"] += row["amount"]
        rule["ages"][age_of(row["age_seconds"])] += row["findings"]
    return sorted(rules.values(), key=lambda rule: -rule["findings"])
