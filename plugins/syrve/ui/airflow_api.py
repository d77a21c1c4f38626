"""Asks Airflow's own REST API in the name of the person at the page: the same rights, checks and audit log as Airflow's UI."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from starlette.requests import Request

from syrve.ui.access import Person
from syrve.ui.errors import AirflowRefused
from syrve.ui.inbox_files import is_dropped
from syrve.ui.plugin import AIRFLOW_APP

TIMEOUT_SECONDS = 20.0
_MAX_DETAIL_LENGTH = 300
_AGAIN = "Nothing was started. Open the failed run in Airflow for the reason, make a preview, and start from that."
_NO_NAMES = ("", ".", "..", "~")
"""What a path takes for a step, and Airflow for all runs."""


class AirflowApi:
    """The REST API of the api-server that the page is mounted in; no network is used."""

    def __init__(self, request: Request, person: Person) -> None:
        app = request.scope[AIRFLOW_APP]
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._form_key = person.form_key
        self._headers = {"Authorization": f"Bearer {person.bearer}"}

    async def call(self, method: str, path: str, doing: str, *, body: Any = None, **params: Any) -> dict[str, Any]:
        """Return the answer; `doing` names the call in `AirflowRefused`, as in "start syrve_customers"."""
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://airflow", headers=self._headers, timeout=TIMEOUT_SECONDS
        ) as client:
            answer = await client.request(method, f"/api/v2{path}", json=body, params=params)
        if answer.is_success:
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found
        raise AirflowRefused(
            answer.status_code if answer.status_code < 500 else 502,
            f"Airflow did not {doing} (status {answer.status_code})",
            _detail(answer),
        )

    async def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run as Airflow has it now."""
        run = await self.call("GET", f"/dags/{dag_id}/dagRuns/{segment(run_id)}", "show the run")
        return str(run["state"])

    async def trigger(self, dag_id: str, conf: dict[str, Any], *, once_for: str = "") -> str:
        """Start a run with these form values and return its id; the same form sent again leads to the run that it started.

        With `once_for` so does every other form with that text, in any window and of any person: it names what is to be done once.
        Raises `AirflowRefused`, also where that run has failed: then the person has to look before it is done again.
        """
        run_id = _run_id(once_for or self._form_key, dag_id, conf)
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        try:
            run = await self.call("POST", f"/dags/{dag_id}/dagRuns", f"start {dag_id}", body=body)
        except AirflowRefused as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            if once_for and await self.run_state(dag_id, run_id) == "failed":
                raise AirflowRefused(
                    409, "This was started before, and failed", f"{_AGAIN} The run is {run_id}."
                ) from None
            return run_id
        return str(run["dag_run_id"])


def _run_id(key: str, dag_id: str, conf: dict[str, Any]) -> str:
    """Return the id of the run that a form starts: Airflow has one run of an id. A dropped file is kept under a new name each time."""
    values = {name: value for name, value in conf.items() if not is_dropped(value)}
    content = json.dumps([key, dag_id, values], sort_keys=True)
    return f"page__{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def segment(run_id: str) -> str:
    """Return the id of a run as one segment of a path, of that run and no other thing; raise `AirflowRefused`."""
    if run_id in _NO_NAMES:
        raise AirflowRefused(404, "There is no such run", "Nothing was changed. Reload the page and choose a run.")
    return quote(run_id, safe="")


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    text = detail if isinstance(detail, str) else "Look at the log of the api-server."
    return text[:_MAX_DETAIL_LENGTH]
