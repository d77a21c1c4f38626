"""Rejects: what could not be imported, by reason, with a CSV and a way to close those that were seen to."""

from __future__ import annotations

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.reports.cells import time_text
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.errors import PageError
from syrve.ui.render import page
from syrve.ui.store import Row, change, note, reading

router = APIRouter()
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
    "organization_id",
    "occurrences",
    "first_seen_at",
    "last_seen_at",
    "run_id",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Entity = Annotated[str, Query(max_length=100)]
RejectId = Annotated[int, Field(ge=-(2**63), lt=2**63)]


@router.get("/rejects")
def rejects(
    request: Request, person: PersonDep, entity: Entity = "", stage: Entity = "", clear: bool = False
) -> HTMLResponse:
    """Show the open rejects, grouped by reason and one by one; with `clear` and the right for it, in clear."""
    shown_clear = clear and person.may_see_clear
    if shown_clear:
        note(person, "see rejects in clear", {"entity": entity, "stage": stage})
    with reading("read the rejects") as read:
        groups = read.rows("rejects_by_reason", most=MOST_GROUPED)
        rows = read.rows("rejects", entity=entity or None, stage=stage or None, most=MOST_SHOWN, clear=shown_clear)
    return page(
        request, person, "rejects", groups=groups, rows=rows, entity=entity, stage=stage, clear=shown_clear, most_shown=MOST_SHOWN,
        most_grouped=MOST_GROUPED,
    )  # fmt: skip


@router.get("/rejects.csv")
def rejects_csv(entity: Entity = "", stage: Entity = "") -> Response:
    """Return the open rejects as a CSV; identities are masked."""
    with reading("read the rejects") as read:
        rows = read.rows("rejects", entity=entity or None, stage=stage or None, most=MOST_IN_CSV, clear=False)
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
        raise PageError(400, "No reject was chosen", "Nothing was changed. Tick the rejects that were seen to.")
    change(
        "resolve rejects", person, "resolve rejects", "resolve_rejects",
        lambda rows: {"reject_ids": sorted(row["reject_id"] for row in rows)}, reject_ids=reject_ids,
    )  # fmt: skip
    return RedirectResponse(f"{request.scope['root_path']}/rejects", status_code=303)


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
    return f"'{text}" if text.startswith(_FORMULA) else text
