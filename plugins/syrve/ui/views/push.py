"""Push: the latest plans row by row, and a way to send one's number of customers by the same DAG as ever."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.dags import schedule_of
from syrve.ui.errors import PageError
from syrve.ui.render import page
from syrve.ui.started import show_started, started_run
from syrve.ui.store import Row, note, reading

router = APIRouter()
PUSH_DAG = "syrve_crm_push"
MOST_SHOWN = 200
STATES = ("planned", "pushed", "linked", "stale", "failed", "refused")
SHOWN_FIELDS = ("sex", "receives_order_status", "receives_promo")
"""Fields whose values are no personal ones."""
MASK = "***"


@router.get("/push")
async def push(
    request: Request,
    person: PersonDep,
    plan_id: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    state: Literal["", "planned", "pushed", "linked", "stale", "failed", "refused"] = "",
    field: Annotated[str, Query(max_length=100)] = "",
    organization_id: Annotated[UUID | Literal[""], Query()] = "",
    clear: bool = False,
    started: str = "",
) -> HTMLResponse:
    """Show the newest plans, and the rows of one of them."""
    clear = clear and person.may_see_clear
    wanted = {"state": state or None, "field": field or None, "organization_id": str(organization_id) or None}
    api = AirflowApi(request, person)
    shown, run, schedule = await asyncio.gather(
        run_in_threadpool(_read, plan_id, wanted), started_run(api, PUSH_DAG, started), schedule_of(api, PUSH_DAG)
    )
    if clear and shown["rows"]:
        await run_in_threadpool(
            note, person, "see a plan in clear", {"plan_id": shown["plan"] and shown["plan"]["plan_id"]}
        )
    for row in shown["rows"]:
        row["changes"] = [
            _change(name, change, clear, shown["policies"]) for name, change in sorted(row["changes"].items())
        ]
    return page(
        request, person, "push", **shown, wanted=wanted, states=STATES, clear=clear, most_shown=MOST_SHOWN, run=run,
        schedule=schedule,
    )  # fmt: skip


def _read(plan_id: int | None, wanted: dict[str, str | None]) -> dict[str, Any]:
    with reading("read the plans") as read:
        plans = read.rows("plans")
        shown = plan_id if plan_id is not None else (plans[0]["plan_id"] if plans else None)
        return {
            "plans": plans,
            "plan": next((each for each in plans if each["plan_id"] == shown), None),
            "rows": read.rows("plan_rows", plan_id=shown, most=MOST_SHOWN, **wanted) if shown is not None else [],
            "policies": {row["field"]: row["policy"] for row in read.rows("field_policies")},
            "organizations": read.rows("organizations"),
        }


@router.post("/push/start")
async def start(
    request: Request,
    person: Annotated[Person, Depends(editor(PUSH_DAG))],
    choice: Annotated[Literal["preview", "send"], Form()],
    number: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
    plan_id: Annotated[int, Form(ge=0, lt=2**63)] = 0,
) -> Response:
    """Start the DAG: Preview, or Send for at most the number that was typed, which must be that of the newest plan."""
    conf: dict[str, Any] = {"dry_run": True}
    plan = ""
    if choice == "send":
        plan = await run_in_threadpool(_plan_to_send, plan_id, number)
        conf = {"dry_run": False, "limit": number}
    await run_in_threadpool(note, person, f"start a push: {choice}", {"limit": number if choice == "send" else None})
    started = await AirflowApi(request, person).trigger(PUSH_DAG, conf, once_for=plan)
    return show_started(request, "push", started)


def _plan_to_send(plan_id: int, number: int) -> str:
    """Name the newest plan, which is sent once however often its form comes back: the Back button shows it with a new token.

    Raises `PageError` if the person saw another plan, as in a window that was left open, or typed another number.
    """
    with reading("read the newest plan") as read:
        newest = next(iter(read.rows("plans")), None)
    if newest is None or newest["plan_id"] != plan_id or not newest["is_dry_run"]:
        raise PageError(
            409,
            "This is not the newest plan",
            "Nothing was sent. Open Push again, make a preview if the newest plan is none, and look at it first.",
        )
    if number != newest["customers"] or not number:
        raise PageError(
            400,
            "The number is not the one of the plan",
            f"Nothing was sent. Type {newest['customers']:,}, or make a preview first.",
        )
    # With the moment: an emptied warehouse counts its plans from 1 again, and Airflow still has the runs of the old ones.
    return f"plan {newest['plan_id']} of {newest['planned_at'].isoformat()}"


def _change(field: str, change: Row, clear: bool, policies: dict[str, str]) -> dict[str, str]:
    kind = field.partition(":")[0]
    is_shown = clear or field in SHOWN_FIELDS or kind in ("category", "program")
    name = field if clear or kind != "card" else f"card:{MASK}{field[-2:]}"
    return {
        "field": name,
        "from": _format_value(change.get("from"), is_shown),
        "to": _format_value(change.get("to"), is_shown),
        "policy": policies.get(kind, "ask"),
    }


def _format_value(value: object, is_shown: bool) -> str:
    if value is None:
        return "empty"
    return str(value) if is_shown else MASK
