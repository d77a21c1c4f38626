"""The inbox: everything that waits for a person, and the ways to see to it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syrve.approvals.breaker import outcomes_of
from syrve.approvals.rules import User
from syrve.notifications.breakers import what_tripped
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.airflow_api import AirflowApi, segment
from syrve.ui.dags import dag_names
from syrve.ui.errors import AirflowRefused, PageError
from syrve.ui.question_body import body_parts
from syrve.ui.render import done, page, run_id_only
from syrve.ui.started import show_started, started_run
from syrve.ui.store import Row, change, note, reading

router = APIRouter()
PUSH_DAG = "syrve_crm_push"
BREAKER_DAG = "syrve_decide_breaker"
ASKING_DAGS = (PUSH_DAG, "syrve_release_holds", "syrve_bulk_topup", "syrve_erase_customer", BREAKER_DAG)
"""Those with a task that asks a person."""
WAITING = ["awaiting_input", "deferred"]
"""States of a task that waits for an answer."""
MOST_SHOWN = 50
MOST_ASKED = 100
"""Per DAG: more than its runs at once. Questions that no task waits for any more are not among them: they would crowd the open ones out."""


@router.get("/inbox")
async def inbox(
    request: Request,
    person: PersonDep,
    started: str = "",
    answered: str = "",
    dag_id: Annotated[str, Query(max_length=250)] = "",
    clear: bool = False,
) -> HTMLResponse:
    """Show what waits; with `clear` and the right for it, the values of conflicts in clear.

    `started` is a run that decides a breaker, `answered` one of `dag_id` whose question this person has just answered.
    """
    shown_clear = clear and person.may_see_clear
    if shown_clear:
        await run_in_threadpool(note, person, "see conflicts in clear", {})
    api = AirflowApi(request, person)
    watched = (dag_id, answered) if answered and dag_id in ASKING_DAGS else (BREAKER_DAG, started)
    waiting, questions, run, names = await asyncio.gather(
        run_in_threadpool(_waiting, shown_clear),
        _questions(api),
        started_run(api, *watched),
        run_in_threadpool(dag_names),
    )
    _say_who_may_answer(questions, waiting.pop("approvals"), person)
    return page(
        request, person, "inbox", **waiting, questions=questions, run=run, names=names, is_answered=bool(answered),
        clear=shown_clear,
    )  # fmt: skip


@router.post("/inbox/answer")
async def answer(
    request: Request,
    person: Annotated[Person, Depends(editor())],
    dag_id: Annotated[str, Form(max_length=250)],
    run_id: Annotated[str, Form(min_length=1, max_length=250)],
    task_id: Annotated[str, Form(pattern=r"^[A-Za-z0-9_]+$", max_length=100)],
    options: Annotated[list[str] | None, Form(max_length=200)] = None,
) -> Response:
    """Answer a question of a run in Airflow, as this person: the run's own task checks who may, and what was shown."""
    if not options:
        raise PageError(400, "No answer was chosen", "Nothing was changed. Choose one, then send it.")
    if dag_id not in ASKING_DAGS:
        raise PageError(400, "This DAG asks no question", "Nothing was changed. Reload the page.")
    path = f"/dags/{dag_id}/dagRuns/{segment(run_id)}/taskInstances/{task_id}/-1/hitlDetails"
    api = AirflowApi(request, person)
    question = await api.call("GET", path, "show the question")
    if question["response_received"] or question["task_instance"]["state"] not in WAITING:
        raise _waits_no_more()
    subject = {"dag_id": dag_id, "run_id": run_id_only(run_id), "chosen": len(options)}
    await run_in_threadpool(note, person, "answer a question", subject)
    body = {"chosen_options": options, "params_input": {}}
    try:
        await api.call("PATCH", path, "take the answer", body=body)
    except AirflowRefused as refusal:
        raise (_waits_no_more() if refusal.status == HTTPStatus.CONFLICT else refusal) from None
    answered = quote(run_id_only(run_id), safe="")
    return RedirectResponse(f"{request.scope['root_path']}/inbox?answered={answered}&dag_id={dag_id}", status_code=303)


def _waits_no_more() -> PageError:
    return PageError(
        409,
        "This question waits no more",
        "Your answer was not taken: it was answered before, by another person or in another window, or its run has ended. "
        "Open the Inbox to see what waits now.",
    )


@router.post("/inbox/conflict")
def decide_conflict(
    request: Request,
    person: Annotated[Person, Depends(editor(PUSH_DAG))],
    conflict_id: Annotated[int, Form(ge=-(2**63), lt=2**63)],
    decision: Annotated[Literal["crm", "syrve"], Form()],
) -> Response:
    """Decide whose value of a field holds; the next push follows it."""
    values = {"conflict_id": conflict_id, "decision": decision}
    change("decide a conflict", person, "decide a conflict", "decide_conflict", lambda _: values, **values)
    return done(request, "inbox", "conflict")


@router.post("/inbox/unblock")
def unblock(
    request: Request,
    person: Annotated[Person, Depends(editor(PUSH_DAG))],
    crm_id: Annotated[int, Form(ge=-(2**63), lt=2**63)],
) -> Response:
    """Let a blocked row go again."""
    subject = {"crm_id": crm_id}
    change("let a row go again", person, "let a blocked row go again", "unblock", lambda _: subject, crm_id=crm_id)
    return done(request, "inbox", "unblock")


@router.post("/inbox/breaker")
async def decide_breaker(
    request: Request,
    person: Annotated[Person, Depends(editor(BREAKER_DAG))],
    breaker_id: Annotated[int, Form(ge=1, lt=2**63)],
    choice: Annotated[Literal["Preview", "Let through", "Drop"], Form()],
) -> Response:
    """Start the DAG that shows what a breaker held back, lets it through after another person's yes, or drops it."""
    conf = {"breaker_id": breaker_id, "choice": choice}
    await run_in_threadpool(note, person, f"start to decide a breaker: {choice}", {"breaker_id": breaker_id})
    return show_started(request, "inbox", await AirflowApi(request, person).trigger(BREAKER_DAG, conf))


def _waiting(clear: bool) -> dict[str, list[Row]]:
    with reading("read what waits for a person") as read:
        found = {
            name: read.rows(f"waiting_{name}", most=MOST_SHOWN, clear=clear)
            for name in ("approvals", "conflicts", "blocked", "breakers", "unsettled", "findings", "rejects")
        } | {"alerts": read.rows("alerts", most=MOST_SHOWN)}
    for breaker in found["breakers"]:
        breaker["what"] = what_tripped(breaker["kind"], breaker["field"])
        breaker["let_through"], breaker["dropped"] = outcomes_of(breaker["kind"])
    return found


def _say_who_may_answer(questions: list[dict[str, Any]], approvals: list[Row], person: Person) -> None:
    """Add to each question what a person should know before they answer: the run itself refuses such an answer, but only later."""
    known = {(row["dag_id"], row["run_id"]): row for row in approvals}
    user = User(person.user_id, person.name)
    for question in questions:
        row = known.get((question["dag_id"], question["run_id"]), {})
        requested_by = row.get("requested_by", "")
        question |= {
            "is_own": bool(requested_by) and row["kind"] != "crm_push" and user.may_be(requested_by),
            "requested_by": requested_by,
            "answer_until": row.get("answer_until"),
            "not_counted_by": row.get("not_counted_by"),
            "not_counted_because": row.get("not_counted_because"),
        }


async def _questions(api: AirflowApi) -> list[dict[str, Any]]:
    """Return the open questions of runs, the oldest first; none of a DAG whose questions Airflow does not let the person see."""
    found = await asyncio.gather(*(_questions_of(api, dag_id) for dag_id in ASKING_DAGS))
    return sorted((each for some in found for each in some), key=lambda question: str(question["asked_at"]))


async def _questions_of(api: AirflowApi, dag_id: str) -> list[dict[str, Any]]:
    try:
        found = await api.call(
            "GET",
            f"/dags/{dag_id}/dagRuns/~/hitlDetails",
            "list its questions",
            response_received=False,
            state=WAITING,
            limit=MOST_ASKED,
        )
    except AirflowRefused as refusal:
        if refusal.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return []
    return [
        {
            "dag_id": dag_id,
            "run_id": each["task_instance"]["dag_run_id"],
            "task_id": each["task_instance"]["task_id"],
            "asked_at": each["created_at"],
            "subject": each["subject"],
            "parts": body_parts(each.get("body") or ""),
            "options": each["options"],
            "multiple": bool(each.get("multiple")),
        }
        for each in found["hitl_details"]
    ]
