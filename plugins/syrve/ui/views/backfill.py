"""Backfill: refresh a chosen set once, and see how far it is. No phone is typed here, and none reaches Airflow."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi, segment
from syrve.ui.dags import run_states
from syrve.ui.errors import PageError
from syrve.ui.inbox_files import inbox_files, path_of
from syrve.ui.render import page, run_id_only, span
from syrve.ui.started import show_started, started_run
from syrve.ui.store import Row, note, reading

router = APIRouter()
BACKFILL_DAG = "syrve_backfill"
MOST_LEFT = 100_000
RUNNING = ("queued", "running")


@router.get("/backfill")
async def backfill(request: Request, person: PersonDep, started: str = "") -> HTMLResponse:
    """Show the newest backfills, and the form."""
    known, run = await asyncio.gather(
        run_in_threadpool(_read), started_run(AirflowApi(request, person), BACKFILL_DAG, started)
    )
    return page(request, person, "backfill", **known, run=run)


def _read() -> dict[str, Any]:
    with reading("read the backfills") as read:
        backfills = read.rows("backfills", most_left=MOST_LEFT)
        organizations = read.rows("organizations")
    states = run_states(BACKFILL_DAG, [row["run_id"] for row in backfills])
    for each in backfills:
        each.update(_progress(each, states.get(each["run_id"])))
    is_live = any(each["state"] in RUNNING for each in backfills)
    return {"backfills": backfills, "organizations": organizations, "files": inbox_files(), "is_live": is_live}


@router.post("/backfill/start")
async def start(
    request: Request,
    person: Annotated[Person, Depends(editor(BACKFILL_DAG))],
    choice: Annotated[Literal["preview", "start"], Form()],
    organization_id: Annotated[str, Form(max_length=36)] = "",
    not_refreshed_since: Annotated[date | Literal[""] | None, Form()] = None,
    path: Annotated[str, Form(max_length=200)] = "",
    dropped: Annotated[UploadFile | None, File()] = None,
    force: Annotated[bool, Form()] = False,
    cap_per_minute: Annotated[str, Form(max_length=9, pattern=r"^[0-9]*$")] = "",
) -> Response:
    """Start the DAG with these values; *preview* counts look-ups and writes nothing."""
    conf: dict[str, Any] = {"dry_run": choice == "preview", "force": force}
    if organization_id:
        conf["organization_ids"] = [_uuid(organization_id)]
    if not_refreshed_since:
        conf["not_refreshed_since"] = f"{not_refreshed_since}T00:00:00Z"
    if cap_per_minute:
        conf["cap_per_minute"] = _cap(cap_per_minute)
    named = await run_in_threadpool(path_of, path, dropped)
    if named:
        conf |= {"source": "file", "path": named}
    await run_in_threadpool(
        note, person, f"start a backfill: {choice}", {"force": force, "organization_id": organization_id or None}
    )
    started = await AirflowApi(request, person).trigger(BACKFILL_DAG, conf)
    return show_started(request, "backfill", started)


@router.post("/backfill/stop")
async def stop(
    request: Request,
    person: Annotated[Person, Depends(editor(BACKFILL_DAG))],
    run_id: Annotated[str, Form(min_length=1, max_length=250)],
) -> Response:
    """Stop a backfill: its run ends as failed, and what it has not looked up stays due as it was."""
    path = f"/dags/{BACKFILL_DAG}/dagRuns/{segment(run_id)}"
    api = AirflowApi(request, person)
    if await api.run_state(BACKFILL_DAG, run_id) not in RUNNING:
        raise PageError(
            409,
            "This backfill has already ended",
            "Nothing was stopped: it ended, or was stopped in another window. Open Backfill to see how far it came.",
        )
    await run_in_threadpool(note, person, "stop a backfill", {"run_id": run_id_only(run_id)})
    await api.call("PATCH", path, "stop the run", body={"state": "failed"})
    return show_started(request, "backfill", run_id_only(run_id))


@router.post("/backfill/continue")
async def go_on(
    request: Request,
    person: Annotated[Person, Depends(editor(BACKFILL_DAG))],
    run_id: Annotated[str, Form(min_length=1, max_length=250)],
) -> Response:
    """Let a stopped or failed backfill go on with what is left: what was answered since it began is not looked up again."""
    path = f"/dags/{BACKFILL_DAG}/dagRuns/{segment(run_id)}/clear"
    api = AirflowApi(request, person)
    if await api.run_state(BACKFILL_DAG, run_id) != "failed":
        raise PageError(
            409,
            "This backfill is not stopped",
            "Nothing was started: it already goes on, or it is done. Open Backfill to see how far it is.",
        )
    await run_in_threadpool(note, person, "continue a backfill", {"run_id": run_id_only(run_id)})
    await api.call("POST", path, "continue the run", body={"dry_run": False})
    return show_started(request, "backfill", run_id_only(run_id))


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise PageError(400, "This is not an organization", "Nothing was started. Choose one of the list.") from None


def _cap(text: str) -> int:
    """Read a cap; zero is refused, for it would mean no cap to one person and no call to another."""
    if number := int(text):
        return number
    raise PageError(
        400, "The calls per minute must be above zero", "Nothing was started. Correct them, or leave the field empty."
    )


def _progress(backfill: Row, state: str | None) -> dict[str, Any]:
    """Reckon how far it is; `state` is that of its run, None if Airflow has it no more."""
    requested, left = int(backfill["requested"]), int(backfill["left_over"])
    done = max(0, requested - left)
    seconds = float(backfill["seconds"] or 0)
    rate = done / seconds if seconds else 0.0
    is_over = backfill["finished_at"] is not None or (requested > 0 and left == 0)
    return {
        "share": 1.0 if is_over else done / requested if requested else 0.0,
        "done": done,
        "is_over": is_over,
        "state": state,
        "may_stop": state in RUNNING,
        "may_continue": state == "failed" and not is_over,
        "rate_per_minute": 60 * rate,
        "estimate": None if is_over or not rate or state not in RUNNING else span(left / rate),
    }
