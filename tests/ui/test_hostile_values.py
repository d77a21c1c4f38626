"""What a person may put into an address or a form of the page to reach something else with it."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from fastapi import HTTPException, Request
from starlette.types import Message

from syrve.reports.cells import WITHHELD
from syrve.signals.errors import Refused
from syrve.signals.receiver import _body
from syrve.ui import bodies
from syrve.ui.access import Person
from syrve.ui.airflow_api import AirflowApi, segment
from syrve.ui.errors import AirflowRefused
from syrve.ui.started import started_run
from syrve.ui.views import customer, holds
from syrve.ui.views.inbox import _questions
from syrve.ui.views.rejects import _cell


class Airflow:
    """Answers as Airflow does: with the questions of a DAG in these states, so many at most; and counts the calls."""

    def __init__(self, questions: list[tuple[str, str]]) -> None:
        self.questions = questions
        self.calls = 0

    async def call(self, method: str, path: str, doing: str, **params: Any) -> dict[str, Any]:
        self.calls += 1
        dag_id = path.split("/")[2]
        found = [
            self._question(each, state)
            for each, state in self.questions
            if dag_id in (each, "~") and state in params.get("state", [state])
        ]
        return {"hitl_details": found[: params["limit"]]}

    @staticmethod
    def _question(dag_id: str, state: str) -> dict[str, Any]:
        task = {"dag_id": dag_id, "dag_run_id": "r", "task_id": "approve", "state": state}
        return {"task_instance": task, "created_at": "2026-01-01", "subject": "?", "options": ["Reject"]}


@pytest.mark.parametrize("run_id", ["", ".", "..", "~"])
def test_run_id_is_no_step_of_a_path(run_id: str) -> None:
    airflow = Airflow([])

    with pytest.raises(AirflowRefused, match="no such run"):
        segment(run_id)
    assert asyncio.run(started_run(cast(AirflowApi, airflow), "syrve_crm_push", run_id)) is None
    assert airflow.calls == 0


def test_run_id_with_signs_is_one_segment() -> None:
    assert (
        segment("manual__2026-01-01T00:00:00+00:00/../x?y") == "manual__2026-01-01T00%3A00%3A00%2B00%3A00%2F..%2Fx%3Fy"
    )


@pytest.mark.parametrize(
    "flood", [("syrve_of_somebody", "awaiting_input"), ("syrve_bulk_topup", "failed"), ("syrve_bulk_topup", "removed")]
)
def test_flood_of_questions_hides_no_open_one(flood: tuple[str, str]) -> None:
    airflow = Airflow([*[flood] * 200, ("syrve_bulk_topup", "awaiting_input"), ("syrve_release_holds", "deferred")])

    found = asyncio.run(_questions(cast(AirflowApi, airflow)))

    assert [each["dag_id"] for each in found] == ["syrve_release_holds", "syrve_bulk_topup"]


@pytest.mark.parametrize("text", ["=1+1", " =1+1", "\n=1+1", "\N{FULLWIDTH EQUALS SIGN}1+1", "@x", "-1", "+1"])
def test_cell_of_rejects_csv_is_no_formula(text: str) -> None:
    assert _cell(text) == f"'{text}"


@pytest.mark.parametrize("length", ["\N{SUPERSCRIPT TWO}", "9" * 5_000, "-1", "1e3"])
def test_length_that_is_none_is_refused(length: str) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    header = (b"content-length", length.encode("latin-1"))
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": [header]}, receive)
    with pytest.raises(HTTPException, match="413"):
        bodies._refuse_length(request.headers["content-length"])
    with pytest.raises(Refused, match="too large"):
        asyncio.run(_body(request, 1_000))


def test_order_that_is_numbered_by_a_phone_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    phone, operation_id = "79757771234", str(uuid4())
    rows = {
        "finding": [{"rule": "order_failed_hold_open", "order_id": phone}],
        "finding_story": [{"what": "Order completed", "id": phone}, {"what": "hold confirmed", "id": operation_id}],
    }
    shown: dict[str, Any] = {}
    monkeypatch.setattr(holds, "reading", lambda _: nullcontext(SimpleNamespace(rows=lambda name, **_: rows[name])))
    monkeypatch.setattr(holds, "page", lambda *_, **values: shown.update(values))

    holds.story(cast(Request, None), cast(Person, None), uuid4())

    assert shown["finding"]["order_id"] == WITHHELD
    assert [event["id"] for event in shown["events"]] == [WITHHELD, operation_id]


def test_timeline_withholds_an_order_that_is_numbered_by_a_phone() -> None:
    order, phone = (
        {"what": "Order completed", "order_id": "till-7:1204"},
        {"what": "hold sent", "order_id": "79757771234"},
    )

    assert customer._shown(order)["what"] == "Order completed, order till-7:1204"
    assert customer._shown(phone)["what"] == f"hold sent, order {WITHHELD}"
    assert customer._shown({"what": "The profile changed", "order_id": None})["what"] == "The profile changed"
