"""A small client of Airflow's REST API: what bringing the stack up and following a run need."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from devstack.errors import StackError

PAGE_SIZE = 100
ANSWER_SECONDS = 30
HTTP_UNAUTHORIZED = 401
HTTP_NOT_FOUND = 404
HTTP_CONFLICT = 409
FINAL_RUN_STATES = frozenset({"success", "failed"})
ASKING = "awaiting_input"
"""State of a task that waits for a person."""
FAILED_TASK_STATES = frozenset({"failed", "upstream_failed"})
FINAL_TASK_STATES = FAILED_TASK_STATES | {"success", "skipped", "removed"}


class AnswerLateError(StackError):
    """The api-server did not answer in time; what it was asked to do may have been done."""


@dataclass(frozen=True)
class DagInfo:
    """A DAG as Airflow knows it; `parsed_at` is when its file was last parsed (seconds since the epoch)."""

    dag_id: str
    is_paused: bool
    is_stale: bool
    parsed_at: float
    file: str
    has_import_errors: bool
    has_schedule: bool = False


@dataclass(frozen=True)
class TaskState:
    """One task instance of a run; `map_index` is -1 for a task that is not mapped, `started_at` 0 before its start."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    started_at: float = 0.0

    @classmethod
    def from_answer(cls, fields: dict[str, Any]) -> "TaskState":
        """Read one item of Airflow's answer."""
        started = _timestamp(fields["start_date"]) if fields["start_date"] else 0.0
        return cls(fields["task_id"], fields["map_index"], fields["state"], fields["try_number"], started)

    @property
    def label(self) -> str:
        """The task's name as shown: `pull[3]` for the mapped one with index 3."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class ImportFailure:
    """A DAG file that Airflow could not import."""

    file: str
    at: float
    trace: str


class AirflowApi:
    """Talks to one api-server as one user; every method raises StackError when Airflow can't be asked or refuses."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self._login = {"username": username, "password": password}
        self._session = requests.Session()
        # Neither a proxy nor a .netrc of the user's has a say in calls to our own server.
        self._session.trust_env = False

    def heartbeats(self) -> dict[str, float]:
        """Return when each component last gave a sign of life; empty while the api-server does not answer."""
        try:
            answer = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=5)
            # Airflow builds the part that tasks talk to on its first call: now, not while the first task waits.
            self._session.get(f"{self.base_url}/execution/health", timeout=30).raise_for_status()
            answer.raise_for_status()
        except requests.RequestException:
            return {}
        beats = {"api-server": time.time()}
        for name in ("scheduler", "dag_processor", "triggerer"):
            beat = (answer.json().get(name) or {}).get(f"latest_{name}_heartbeat")
            if beat:
                beats[name.replace("_", "-")] = _timestamp(beat)
        return beats

    def dag(self, dag_id: str) -> DagInfo | None:
        """Return a DAG, or None while Airflow does not know it."""
        answer = self.call("GET", f"/dags/{dag_id}", "look up the DAG", allowed=(HTTP_NOT_FOUND,))
        if answer.status_code == HTTP_NOT_FOUND:
            return None
        fields = answer.json()
        parsed = fields["last_parsed_time"]
        return DagInfo(
            dag_id=fields["dag_id"],
            is_paused=fields["is_paused"],
            is_stale=fields["is_stale"],
            parsed_at=_timestamp(parsed) if parsed else 0.0,
            file=fields["fileloc"] or "",
            has_import_errors=bool(fields["has_import_errors"]),
            has_schedule=fields["timetable_summary"] is not None,
        )

    def import_failures(self) -> list[ImportFailure]:
        """Return the DAG files that can't be imported."""
        fields = self.call("GET", f"/importErrors?limit={PAGE_SIZE}", "list import errors").json()
        return [
            ImportFailure(item["filename"], _timestamp(item["timestamp"]), item["stack_trace"])
            for item in fields["import_errors"]
        ]

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", "pause or unpause the DAG", body={"is_paused": paused})

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run now, as the UI's button does.

        If no answer comes in time, it is sent again with the same id: Airflow refuses a second run of one id, so at most one run
        starts.
        """
        body = {"dag_run_id": run_id, "logical_date": datetime.now(UTC).isoformat(), "conf": conf}
        path, what = f"/dags/{dag_id}/dagRuns", f"trigger {dag_id}"
        try:
            self.call("POST", path, what, body=body)
        except AnswerLateError:
            self.call("POST", path, what, body=body, allowed=(HTTP_CONFLICT,))

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: `queued`, `running`, `success` or `failed`."""
        state: str = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}", "look at the run").json()["state"]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return every task instance of a run: those that started first come first."""
        tasks: list[TaskState] = []
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit={PAGE_SIZE}&offset="
        while True:
            fields = self.call("GET", f"{path}{len(tasks)}", "list the tasks of the run").json()
            page = fields["task_instances"]
            tasks += [TaskState.from_answer(item) for item in page]
            if not page or len(tasks) >= fields["total_entries"]:
                return sorted(tasks, key=lambda t: (not t.started_at, t.started_at, t.task_id, t.map_index))

    def unfinished_runs(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's runs that are queued or running."""
        path = f"/dags/{dag_id}/dagRuns?state=queued&state=running&limit={PAGE_SIZE}"
        return [run["dag_run_id"] for run in self.call("GET", path, "list the runs").json()["dag_runs"]]

    def cancel(self, dag_id: str, run_id: str) -> None:
        """End a run as failed; its running tasks are stopped."""
        self.call("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", "cancel the run", body={"state": "failed"})

    def conf_keys(self, dag_id: str) -> list[str]:
        """Return the keys that the configuration of a DAG's runs may have."""
        fields = self.call("GET", f"/dags/{dag_id}/details", "look up the DAG's parameters").json()
        return sorted(fields.get("params") or {})

    def required_options(self, dag_id: str, run_id: str, task_id: str) -> list[str]:
        """Return the options that a task which waits for a person offers."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        options: list[str] = self.call("GET", path, "read the required action").json()["options"]
        return options

    def answer_required_action(self, dag_id: str, run_id: str, task_id: str, *options: str) -> None:
        """Choose options for a task that waits for a person, as the UI's form does."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self.call(
            "PATCH", path, "answer the required action", body={"chosen_options": list(options), "params_input": {}}
        )

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool; one that exists stays as it is."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        self.call("POST", "/pools", f"create the pool {name}", body=body, allowed=(HTTP_CONFLICT,))

    def call(
        self, method: str, path: str, what: str, body: dict[str, Any] | None = None, allowed: tuple[int, ...] = ()
    ) -> requests.Response:
        """Send one request below `/api/v2` and return the answer; `what` says in the error what it was to do. Raises `StackError`.

        A question that got no answer in time is asked once more: that changes nothing.
        """
        try:
            if "Authorization" not in self._session.headers:
                self._authenticate()
            answer = self._send(method, path, body)
            if answer.status_code == HTTP_UNAUTHORIZED:
                self._authenticate()
                answer = self._send(method, path, body)
        except requests.ReadTimeout as error:
            raise AnswerLateError(
                f"Airflow's api-server did not {what} within {ANSWER_SECONDS} s: look at its log, and at the load of the machine"
            ) from error
        except requests.RequestException as error:
            raise StackError(f"Airflow's api-server could not be asked to {what}: {type(error).__name__}") from error
        if not answer.ok and answer.status_code not in allowed:
            raise StackError(f"Airflow would not {what}: HTTP {answer.status_code}, {_detail(answer)}")
        return answer

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        url = f"{self.base_url}/api/v2{path}"
        try:
            return self._session.request(method, url, json=body, timeout=ANSWER_SECONDS)
        except requests.ReadTimeout:
            if method != "GET":
                raise
            return self._session.request(method, url, json=body, timeout=ANSWER_SECONDS)

    def _authenticate(self) -> None:
        answer = self._session.post(f"{self.base_url}/auth/token", json=self._login, timeout=ANSWER_SECONDS)
        if not answer.ok:
            raise StackError(f"Airflow refused its own user: HTTP {answer.status_code} from /auth/token")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return "without saying why"
