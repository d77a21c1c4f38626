"""Rejects: what could not be imported, by reason, with a CSV and a way to close those that were seen to."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.reports.cells import time_text
from syrve.sources.formulas import as_text_cell
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.errors import PageError
from syrve.ui.inbox_files import inbox_files, path_of
from syrve.ui.render import done, page, run_id_only
from syrve.ui.started import started_run
from syrve.ui.store import Row, change, note, reading

router = APIRouter()
ROSTER_DAG, CRM_DAG = "syrve_roster_import", "syrve_crm_import"
MOST_GROUPED = 20_000
"""Reasons are counted over this many of the newest open rejects."""
MOST_SHOWN = 200
MOST_IN_CSV = 20_000
CSV_COLUMNS = (
    "reject_id",
    "entity",
    "stage",
    "reason",
    "identity",
    "line",
    "place",
    "organization_id",
    "occurrences",
    "first_seen_at",
    "last_seen_at",
    "run_id",
)
Entity = Annotated[str, Query(max_length=100)]
RunId = Annotated[str, Query(max_length=250)]
ReasonKey = Annotated[str, Query(pattern="^([0-9a-f]{16})?$")]
"""Stands for a reason: an address has no text of a row."""
RejectId = Annotated[int, Field(ge=-(2**63), lt=2**63)]


@router.get("/rejects")
async def rejects(
    request: Request,
    person: PersonDep,
    entity: Entity = "",
    stage: Entity = "",
    run_id: RunId = "",
    reason_key: ReasonKey = "",
    clear: bool = False,
    started: str = "",
    dag_id: Literal["syrve_roster_import", "syrve_crm_import"] = "syrve_roster_import",
) -> HTMLResponse:
    """Show the open rejects, grouped by reason and one by one; with `clear` and the right for it, in clear."""
    shown_clear = clear and person.may_see_clear
    wanted = _wanted(entity, stage, run_id, reason_key)
    if shown_clear:
        await run_in_threadpool(note, person, "see rejects in clear", wanted | {"run_id": run_id_only(run_id)})
    known, run = await asyncio.gather(
        run_in_threadpool(_read, wanted, shown_clear), started_run(AirflowApi(request, person), dag_id, started)
    )
    return page(
        request, person, "rejects", **known, wanted=wanted, clear=shown_clear, most_shown=MOST_SHOWN,
        most_grouped=MOST_GROUPED, run=run, chosen={name: value for name, value in wanted.items() if value},
    )  # fmt: skip


def _wanted(entity: str, stage: str, run_id: str, reason_key: str) -> dict[str, str | None]:
    return {
        "entity": entity or None,
        "stage": stage or None,
        "run_id": run_id or None,
        "reason_key": reason_key or None,
    }


def _read(wanted: dict[str, str | None], clear: bool) -> dict[str, Any]:
    with reading("read the rejects") as read:
        return {
            "groups": read.rows("rejects_by_reason", most=MOST_GROUPED),
            "rows": read.rows("rejects", **wanted, most=MOST_SHOWN, most_searched=MOST_GROUPED, clear=clear),
            "names": {row["organization_id"]: row["name"] for row in read.rows("organizations")},
            "files": inbox_files(),
        }


@router.get("/rejects.csv")
def rejects_csv(entity: Entity = "", stage: Entity = "", run_id: RunId = "", reason_key: ReasonKey = "") -> Response:
    """Return the open rejects as a CSV; identities are masked."""
    with reading("read the rejects") as read:
        wanted = _wanted(entity, stage, run_id, reason_key)
        rows = read.rows("rejects", **wanted, most=MOST_IN_CSV, most_searched=MOST_IN_CSV, clear=False)
    headers = {"Content-Disposition": 'attachment; filename="rejects.csv"'}
    return Response(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/rejects/resolve")
def resolve(
    request: Request,
    person: Annotated[Person, Depends(editor())],
    reject_ids: Annotated[list[RejectId] | None, Form(max_length=MOST_SHOWN)] = None,
) -> Response:
    """Close the chosen rejects; one that comes again is opened again."""
    if not reject_ids:
        raise PageError(400, "No reject was chosen", "Nothing was changed. Tick the rejects that were dealt with.")
    change(
        "resolve rejects", person, "resolve rejects", "resolve_rejects",
        lambda rows: {"reject_ids": sorted(row["reject_id"] for row in rows)}, reject_ids=reject_ids,
    )  # fmt: skip
    return done(request, "rejects", "resolved")


Path = Annotated[str, Form(max_length=200)]
Dropped = Annotated[UploadFile | None, File()]
Choice = Annotated[Literal["preview", "import"], Form()]


@router.post("/rejects/import-roster")
async def import_roster(
    request: Request,
    person: Annotated[Person, Depends(editor(ROSTER_DAG))],
    choice: Choice,
    path: Path = "",
    dropped: Dropped = None,
) -> Response:
    """Start the import of identities with a file; *preview* writes nothing."""
    return await _import(request, person, ROSTER_DAG, choice, path, dropped)


@router.post("/rejects/import-crm")
async def import_crm(
    request: Request,
    person: Annotated[Person, Depends(editor(CRM_DAG))],
    choice: Choice,
    path: Path = "",
    dropped: Dropped = None,
) -> Response:
    """Start the import of desired states with a file; *preview* writes nothing."""
    return await _import(request, person, CRM_DAG, choice, path, dropped)


async def _import(
    request: Request, person: Person, dag_id: str, choice: str, path: str, dropped: UploadFile | None
) -> Response:
    named = await run_in_threadpool(path_of, path, dropped)
    if named is None:
        raise PageError(400, "No file was named", "Nothing was started. Choose a file of the inbox, or drop one.")
    await run_in_threadpool(note, person, f"start an import: {choice}", {"dag_id": dag_id, "dropped": bool(dropped)})
    conf = {"source": "file", "path": named, "dry_run": choice == "preview"}
    started = await AirflowApi(request, person).trigger(dag_id, conf)
    return RedirectResponse(
        f"{request.scope['root_path']}/rejects?dag_id={dag_id}&started={quote(started, safe='')}", status_code=303
    )


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in CSV_COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    """Write a value; a spreadsheet must not take it for a formula."""
    if value is None:
        return ""
    text = time_text(value) if hasattr(value, "astimezone") else str(value)  # type: ignore[arg-type]
    return as_text_cell(text)
