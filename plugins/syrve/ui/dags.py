"""How each of the provider's DAGs stands: armed or not, its last and next run, and one sentence about the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from syrve.reports.run_words import as_sentence, format_run_counts
from syrve.ui.airflow_api import AirflowApi
from syrve.ui.errors import AirflowRefused
from syrve.ui.store import Row, reading

WRITING = ("syrve_crm_push", "syrve_release_holds", "syrve_bulk_topup", "syrve_webhooks")
"""These change something at Syrve."""
LAST_RUN_DAYS = 30
_ORDER = (
    "syrve_customers",
    "syrve_balances",
    "syrve_coupons",
    "syrve_crm_push",
    "syrve_wallet_import",
    "syrve_reconcile_holds",
    "syrve_release_holds",
    "syrve_backfill",
    "syrve_roster_import",
    "syrve_crm_import",
    "syrve_bulk_topup",
)


@dataclass(frozen=True, slots=True)
class DagStatus:
    """A DAG as the overview shows it."""

    dag_id: str
    name: str
    description: str
    schedule: str | None
    schedule_text: str
    is_paused: bool
    next_at: str | None
    last_run_id: str | None
    last_state: str | None
    last_at: datetime | None
    writes: bool
    sentence: str

    @property
    def is_armed(self) -> bool:
        """Whether it runs by itself."""
        return self.schedule is not None and not self.is_paused

    @property
    def path(self) -> str:
        """Its page in Airflow, or that of its last run."""
        return f"/dags/{self.dag_id}" + (f"/runs/{self.last_run_id}" if self.last_run_id else "")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Whether and when a DAG runs by itself."""

    summary: str | None
    is_paused: bool
    next_at: str | None

    @property
    def is_armed(self) -> bool:
        """Whether it runs by itself."""
        return self.summary is not None and not self.is_paused


async def schedule_of(api: AirflowApi, dag_id: str) -> Schedule | None:
    """Return the schedule of a DAG; None if it is not for this person, or there is no such DAG."""
    try:
        dag = await api.call("GET", f"/dags/{dag_id}", "show the DAG")
    except AirflowRefused as refusal:
        if refusal.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return None
    return Schedule(dag.get("timetable_summary"), bool(dag["is_paused"]), dag.get("next_dagrun_run_after"))


async def dag_statuses(api: AirflowApi) -> list[DagStatus]:
    """Return the DAGs that the person may see, in the order of the work."""
    found = await api.call("GET", "/dags", "list its DAGs", tags="syrve", limit=100)
    dags = {str(each["dag_id"]): each for each in found["dags"]}
    return await run_in_threadpool(_statuses, dags)


def _statuses(dags: dict[str, Any]) -> list[DagStatus]:
    last = _last_runs(list(dags))
    counts = _counts([str(run["run_id"]) for run in last.values()])
    place = {dag_id: number for number, dag_id in enumerate(_ORDER)}
    ordered = sorted(dags, key=lambda dag_id: (place.get(dag_id, len(place)), dag_id))
    return [_status(dags[dag_id], last.get(dag_id), counts) for dag_id in ordered]


def _last_runs(dag_ids: list[str]) -> dict[str, Row]:
    """Read the last run of each DAG of the last 30 days: by Airflow's REST API it would be a call per DAG, a third of a second in all."""
    columns = (DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.run_after, DagRun.start_date, DagRun.end_date)
    since = datetime.now(UTC) - timedelta(days=LAST_RUN_DAYS)
    found: dict[str, Row] = {}
    with create_session(scoped=False) as session:
        for dag_id in dag_ids:
            wanted = select(*columns).where(DagRun.dag_id == dag_id, DagRun.run_after > since)
            run = session.execute(wanted.order_by(DagRun.run_after.desc()).limit(1)).mappings().first()
            if run:
                found[dag_id] = dict(run)
    return found


def dag_names() -> dict[str, str]:
    """Return the name under which Airflow shows each of the provider's DAGs, by id."""
    columns: tuple[Any, ...] = (DagModel.dag_id, DagModel.dag_display_name)
    wanted = select(*columns).where(DagModel.dag_id.startswith("syrve_"))
    with create_session(scoped=False) as session:
        return {str(dag_id): str(name) for dag_id, name in session.execute(wanted)}


def run_states(dag_id: str, run_ids: list[str]) -> dict[str, str]:
    """Return the state of each of these runs that Airflow still has."""
    wanted = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    with create_session(scoped=False) as session:
        return {str(run_id): str(state) for run_id, state in session.execute(wanted)}


def _counts(run_ids: list[str]) -> dict[tuple[str, str], Row]:
    if not run_ids:
        return {}
    with reading("read what the last runs did") as read:
        return {(row["dag_id"], row["run_id"]): row for row in read.rows("run_counts", run_ids=run_ids)}


def _status(dag: dict[str, Any], run: Row | None, counts: dict[tuple[str, str], Row]) -> DagStatus:
    dag_id = str(dag["dag_id"])
    return DagStatus(
        dag_id=dag_id,
        name=str(dag["dag_display_name"]),
        description=str(dag.get("description") or ""),
        schedule=dag.get("timetable_summary"),
        schedule_text=str(dag.get("timetable_description") or dag.get("timetable_summary") or ""),
        is_paused=bool(dag["is_paused"]),
        next_at=dag.get("next_dagrun_run_after"),
        last_run_id=run["run_id"] if run else None,
        last_state=str(run["state"]) if run else None,
        last_at=(run.get("end_date") or run.get("start_date") or run["run_after"]) if run else None,
        writes=dag_id in WRITING,
        sentence=sentence(
            dag_id, str(run["state"]) if run else None, counts.get((dag_id, run["run_id"])) if run else None
        ),
    )


def sentence(dag_id: str, state: str | None, counted: Row | None) -> str:
    """Say in one sentence what a run did."""
    if state is None:
        return f"It has not run in the last {LAST_RUN_DAYS} days."
    text = format_run_counts(dag_id, counted)
    begin = {"failed": "Failed: open it for the reason", "queued": "Waits to start", "running": "Runs now"}.get(state)
    if begin:
        return f"{begin}; {text} so far." if text else f"{begin}."
    return as_sentence(text, "Done; its log says what it did.")
