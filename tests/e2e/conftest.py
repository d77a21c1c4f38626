"""One real Airflow for the folder: Postgres, simulator, api-server, scheduler with LocalExecutor, dag-processor."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from devstack import environments, names
from devstack.airflow_api import AirflowApi, AnswerLateError, TaskState
from devstack.cli import REPOSITORY
from devstack.dag_runs import DagRun, follow, start_run, wait_until_parsed
from devstack.environments import StackPaths
from devstack.purposes import DEMO
from devstack.stack import Stack
from devstack.state import StackState
from e2e_support import wait_until
from syrve_simulator.control import SimulatorControl

RUN_TIMEOUT_SECONDS = 450.0
QUERIED = {"SYRVE_SOURCE_CONNECTIONS": "syrve_warehouse"}
DAILY = {"SYRVE_RECONCILE_HOLDS_SCHEDULE": "0 0 * * *"}
"""So that a backfill of some days is that many runs."""
QUIETER = replace(
    DEMO.airflow,
    idle_sleep_seconds=0.3,
    more={
        "dag_processor": {"min_file_process_interval": "900"},
        "core": {"executor": "warm_executor.WarmExecutor"},
    },
)
"""It lives for a quarter of an hour and more beside other tests: looking for work all the time takes half a processor."""
WARM = {"PYTHONPATH": str(REPOSITORY / "tests")}
RUN_HERE = tuple(sorted(path.stem for path in (REPOSITORY / "dags").glob("*.py")))


@dataclass
class LiveAirflow:
    """Runs DAGs through the scheduler and looks at the outcome."""

    stack: Stack
    state: StackState
    api: AirflowApi
    simulator: SimulatorControl
    last_tasks: list[TaskState] = field(default_factory=list)

    @property
    def simulator_port(self) -> int:
        return int(str(self.state.simulator_url).rpartition(":")[2])

    def start(self, dag_id: str, **conf: Any) -> DagRun:
        try:
            return start_run(self.api, dag_id, conf)
        except AnswerLateError as error:
            error.add_note(self.what_it_waits_for())
            raise

    def what_it_waits_for(self) -> str:
        """The sessions of Airflow's database with what each waits for, and the end of the api-server's log."""
        query = (
            "select pid, pg_blocking_pids(pid), state, wait_event, now() - xact_start, left(query, 200) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        sessions = [str(row) for row in self.rows(query, database=names.METADATA_DATABASE)]
        return "\n".join(sessions + self.stack.paths.log("api-server").read_text().splitlines()[-40:])

    def finish(self, run: DagRun) -> str:
        outcome = follow(self.api, run, self.state.components, lambda tasks: None, RUN_TIMEOUT_SECONDS)
        self.last_tasks = self.api.tasks(run.dag_id, run.run_id)
        return outcome

    def run(self, dag_id: str, **conf: Any) -> tuple[str, DagRun]:
        run = self.start(dag_id, **conf)
        return self.finish(run), run

    def run_together(self, runs: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, str]:
        """Run DAGs at the same time, each under a name; returns how each ended. Those of one DAG go in this order."""
        started = {name: self.start(dag_id, **conf) for name, (dag_id, conf) in runs.items()}
        return {name: self.finish(run) for name, run in started.items()}

    def wait_for_question(self, run: DagRun, task_id: str) -> None:
        """Wait until a task waits for a person, and the scheduler has noticed.

        On Airflow 3.3.2 an answer given before that, sooner than any person could, makes the scheduler take the task for a failed one.
        """
        noticed = f"Received executor event with state success for task instance TaskInstanceKey(dag_id='{run.dag_id}', task_id='{task_id}'"

        def is_asked() -> bool:
            states = {task.task_id: task.state for task in self.api.tasks(run.dag_id, run.run_id)}
            lines = self.stack.paths.log("scheduler").read_text().splitlines()
            return states.get(task_id) == "awaiting_input" and any(
                noticed in line and run.run_id in line for line in lines
            )

        wait_until(is_asked, f"{task_id} asks a person")

    def answer(self, run: DagRun, *beginnings: str, task_id: str = "approve", as_admin: bool = False) -> list[str]:
        """Choose the options that hold these texts, as the second person unless said otherwise; returns them."""
        offered = self.api.required_options(run.dag_id, run.run_id, task_id)
        chosen = [option for option in offered if any(text in option for text in beginnings)]
        api = self.api if as_admin else self.stack.approver_api(self.state)
        api.answer_required_action(run.dag_id, run.run_id, task_id, *chosen)
        return chosen

    def clear(self, run: DagRun, task_id: str, *, only_failed: bool = False) -> None:
        """Clear a task and those after it, as the UI does."""
        body = {"dry_run": False, "dag_run_id": run.run_id, "task_ids": [task_id], "only_failed": only_failed}
        body |= {"include_downstream": True, "reset_dag_runs": True}
        self.api.call("POST", f"/dags/{run.dag_id}/clearTaskInstances", "clear tasks", body=body)

    def mark_success(self, run: DagRun, task_id: str) -> None:
        """Mark a task as success by hand."""
        self.mark(run, task_id, "success")

    def mark(self, run: DagRun, task_id: str, state: str) -> None:
        """Mark a task as `success` or `failed` by hand."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}"
        self.api.call("PATCH", path, "mark a task", body={"new_state": state})

    def task_states(self) -> dict[str, str | None]:
        return {task.label: task.state for task in self.last_tasks}

    def task_log(self, run: DagRun, task_id: str) -> str:
        folder = self.stack.paths.airflow_home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
        return "\n".join(
            file.read_text() for file in sorted(folder.rglob("*.log")) if f"task_id={task_id}/" in str(file)
        )

    def rows(self, query: str, *values: object, database: str = "warehouse") -> list[tuple[Any, ...]]:
        dsn = self.stack.postgres(durable=False).dsn(database)
        connection = psycopg2.connect(dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def note(self, run: DagRun) -> str | None:
        query = "select n.content from dag_run_note n join dag_run r on r.id = n.dag_run_id where r.dag_id = %s and r.run_id = %s"
        found = self.rows(query, run.dag_id, run.run_id, database=names.METADATA_DATABASE)
        return str(found[0][0]) if found else None

    def command(self, *arguments: str) -> str:
        """Run Airflow's command line as somebody logged in on this stack would."""
        paths, secrets = self.stack.paths, self.stack.secrets
        dsn, port = (
            self.stack.postgres(durable=False).dsn(names.METADATA_DATABASE),
            int(self.state.api_url.rpartition(":")[2]),
        )
        environment = environments.inherited_environment(os.environ, with_own_connections=False)
        environment |= environments.airflow_environment(paths, secrets, dsn, port, DEMO.airflow)
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fresh(self, organizations: int = 1, customers: int = 300) -> list[Any]:
        """Empty the warehouse and put customers of the simulator into the roster; returns them."""
        tables = (
            "sync.roster, sync.held_back, sync.run, sync.reject, sync.backfill, sync.coupon_watch, syrve.organization, syrve.customer, "
            "syrve.daily_balance"
        )
        versions = (
            "syrve.customer_version, syrve.wallet_balance_version, syrve.card_version, syrve.customer_category_version"
        )
        self.rows(
            f"truncate {tables}, syrve.wallet_balance, {versions}, syrve.card, syrve.customer_category, syrve.coupon_series, syrve.coupon"
        )
        self.rows(
            "truncate crm.customer, crm.push_state, crm.push_plan, crm.push_plan_summary, crm.push, crm.push_blocked cascade"
        )
        found = []
        for each in self.simulator.organizations()[:organizations]:
            page = self.simulator.customers_page(each["organization_id"], limit=customers)
            found += page
            self.rows(
                "insert into sync.roster (organization_id, identity_kind, identity_value, source) "
                "select %s::uuid, 'phone', phone, 'test' from unnest(%s) as phone",
                each["organization_id"],
                [customer["phone"] for customer in page],
            )
        return found


@pytest.fixture(scope="session")
def live_airflow() -> Iterator[LiveAirflow]:
    home = Path(tempfile.mkdtemp(prefix="syrve-e2e-"))
    home.chmod(0o711)
    # Its own folder of DAGs, so that a test may put one there.
    dags = shutil.copytree(REPOSITORY / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    paths = StackPaths(REPOSITORY, home / "stack", dags)
    try:
        with monitored(paths.directory / "logs", paths.airflow_config):
            yield from _live_airflow(Stack(paths, os.environ | DAILY | QUERIED | WARM, print))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def monitored(folder: Path, config: Path) -> Iterator[None]:
    """Take what Airflow sends to a StatsD server and to OpenLineage into files beside its logs, by writing Airflow's configuration file."""
    folder.mkdir(parents=True, exist_ok=True)
    lineage = {"type": "file", "log_file_path": str(folder / "openlineage.log"), "append": True}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        is_over = threading.Event()
        server.settimeout(0.5)

        def write() -> None:
            while not is_over.is_set():
                with suppress(TimeoutError):
                    packet = server.recv(65_535)
                    with (folder / "statsd.log").open(
                        "ab"
                    ) as file:  # the stack empties its folder of logs when it starts
                        file.write(packet + b"\n")

        thread = threading.Thread(target=write, name="statsd", daemon=True)
        thread.start()
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(
            f"[openlineage]\ntransport = {json.dumps(lineage)}\n"
            f"[metrics]\nstatsd_on = True\nstatsd_host = 127.0.0.1\nstatsd_port = {server.getsockname()[1]}\n"
        )
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def _live_airflow(stack: Stack) -> Iterator[LiveAirflow]:
    state = stack.bring_up(replace(DEMO, shows_live_service=False, airflow=QUIETER))
    try:
        api = stack.api(state)
        for dag_id in RUN_HERE:
            wait_until_parsed(api, stack.paths.dags, dag_id, not_before=0.0)
            api.set_paused(dag_id, paused=False)
        assert state.simulator_url is not None
        yield LiveAirflow(stack, state, api, SimulatorControl(state.simulator_url))
    finally:
        stack.take_down(state, grace_seconds=5.0)


@pytest.fixture
def airflow(live_airflow: LiveAirflow) -> LiveAirflow:
    """The live Airflow, with the simulator put in order."""
    control = live_airflow.simulator
    control.clear_faults()
    control.clear_raw_answers()
    control.set_switches(removed_rights=[], organizations_without_loyalty=[], latency_ms=0)
    control.reset_calls()
    return live_airflow
