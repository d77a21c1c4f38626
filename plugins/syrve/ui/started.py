"""How the run that a person started here stands: its state and what its note says."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syrve.hooks.run_note import MARK, RESULT_MARK
from syrve.ui.airflow_api import AirflowApi, segment
from syrve.ui.errors import AirflowRefused
from syrve.ui.render import run_id_only

ENDED = ("success", "failed")
_WORDS = {
    "queued": "It waits to start.",
    "running": "It runs now.",
    "success": "It is done.",
    "failed": "It failed: open it for the reason.",
}


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run as the page shows it to whom started it; `told` is what its note says of its work."""

    dag_id: str
    run_id: str
    state: str
    told: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED

    @property
    def words(self) -> str:
        """What is the matter with it, in words."""
        return _WORDS.get(self.state, f"It is {self.state}.")

    @property
    def status(self) -> str:
        """The colour of it."""
        return {"success": "good", "failed": "bad"}.get(self.state, "run")

    @property
    def path(self) -> str:
        """Its page in Airflow."""
        return f"/dags/{self.dag_id}/runs/{quote(self.run_id, safe='')}"


async def started_run(api: AirflowApi, dag_id: str, run_id: str) -> StartedRun | None:
    """Return the run of this id, from an address; None if there is none, or it is not for this person."""
    known = run_id_only(run_id)
    if not known:
        return None
    try:
        run = await api.call("GET", f"/dags/{dag_id}/dagRuns/{segment(known)}", "show the run")
    except AirflowRefused as refusal:
        if refusal.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return None
    return StartedRun(dag_id, known, str(run["state"]), told_in(str(run.get("note") or "")))


def told_in(note: str) -> str:
    """Return what the note says of the run's work, without what people wrote before it."""
    parts = [part for part in note.split("\n\n") if part.startswith((MARK, RESULT_MARK))]
    told = parts[-1].removeprefix(MARK).removeprefix(RESULT_MARK).partition(" [")[0].strip() if parts else ""
    return f"{told[:1].upper()}{told[1:].rstrip('.')}." if told else ""


def show_started(request: Request, view: str, run_id: str) -> Response:
    """Lead back to a view that then shows how the run stands."""
    return RedirectResponse(
        f"{request.scope['root_path']}/{view}?started={quote(run_id, safe='')}", status_code=HTTPStatus.SEE_OTHER
    )
