"""Backfill: refresh a chosen set once, and see how far it is. No phone is typed here, and none reaches Airflow."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.errors import PageError
from syrve.ui.render import page, run_id_only, span
from syrve.ui.store import Row, note, reading

router = APIRouter()
BACKFILL_DAG = "syrve_backfill"
MOST_LEFT = 100_000


@router.get("/backfill")
def backfill(request: Request, person: PersonDep, started: str = "") -> HTMLResponse:
    """Show the newest backfills, and the form."""
    with reading("read the backfills") as read:
        backfills = read.rows("backfills", most_left=MOST_LEFT)
        organizations = read.rows("organizations")
    for each in backfills:
        each.update(_progress(each))
    return page(
        request, person, "backfill", backfills=backfills, organizations=organizations, started=run_id_only(started)
    )


@router.post("/backfill/start")
async def start(
    request: Request,
    person: Annotated[Person, Depends(editor(BACKFILL_DAG))],
    choice: Annotated[Literal["preview", "start"], Form()],
    organization_id: Annotated[str, Form(max_length=36)] = "",
    not_refreshed_since: Annotated[date | Literal[""] | None, Form()] = None,
    path: Annotated[str, Form(max_length=200, pattern=r"^[A-Za-z0-9_./ -]*$")] = "",
    force: Annotated[bool, Form()] = False,
    cap_per_minute: Annotated[str, Form(max_length=9, pattern=r"^[0-9]*$")] = "",
) -> Response:
    """Start the DAG with these values; *preview* counts look-ups and writes nothing."""
    conf: dict[str, Any] = {"dry_run": choice == "preview", "force": force}
    if organization_id:
        conf["organization_ids"] = [_uuid(organization_id)]
    if not_refreshed_since:
        conf["not_refreshed_since"] = f"{not_refreshed_since}T00:00:00Z"
    if path.strip():
        if sum(character.isdigit() for character in path) >= 10:
            raise PageError(400, "The name of the file looks like a phone", "Nothing was started. Rename the file.")
        conf |= {"source": "file", "path": path.strip()}
    if cap_per_minute.strip("0"):
        conf["cap_per_minute"] = int(cap_per_minute)
    await run_in_threadpool(
        note, person, f"start a backfill: {choice}", {"force": force, "organization_id": organization_id or None}
    )
    started = await AirflowApi(request, person).trigger(BACKFILL_DAG, conf)
    return RedirectResponse(
        f"{request.scope['root_path']}/backfill?started={started}".replace("+", "%2B"), status_code=303
    )


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise PageError(400, "This is no organization", "Nothing was started. Choose one of the list.") from None


def _progress(backfill: Row) -> dict[str, Any]:
    requested, left = int(backfill["requested"]), int(backfill["left_over"])
    done = max(0, requested - left)
    seconds = float(backfill["seconds"] or 0)
    rate = done / seconds if seconds else 0.0
    is_over = backfill["finished_at"] is not None or (requested > 0 and left == 0)
    return {
        "share": 1.0 if is_over else done / requested if requested else 0.0,
        "done": done,
        "is_over": is_over,
        "rate_per_minute": 60 * rate,
        "estimate": None if is_over or not rate else span(left / rate),
    }
