"""One real Airflow for the folder: Postgres, simulator, api-server, scheduler with LocalExecutor, dag-processor."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from devstack import names
from devstack.airflow_api import AirflowApi, TaskState
from devstack.cli import REPOSITORY
from devstack.dag_runs import DagRun, follow, start_run, wait_until_parsed
from devstack.settings import StackPaths
from devstack.stack import DEMO, Stack
from devstack.state import StackState
from syrve_simulator.control import SimulatorControl

RUN_TIMEOUT_SECONDS = 150.0


@dataclass
class LiveAirflow:
    """Runs DAGs through the scheduler and looks at what came of it."""

    stack: Stack
    state: StackState
    api: AirflowApi
    simulator: SimulatorControl
    last_tasks: list[TaskState] = field(default_factory=list)

    @property
    def simulator_port(self) -> int:
        return int(str(self.state.simulator_url).rpartition(":")[2])

    def start(self, dag_id: str, **conf: Any) -> DagRun:
        return start_run(self.api, dag_id, conf)

    def finish(self, run: DagRun) -> str:
        outcome = follow(self.api, run, self.state.components, lambda tasks: None, RUN_TIMEOUT_SECONDS)
        self.last_tasks = self.api.tasks(run.dag_id, run.run_id)
        return outcome

    def run(self, dag_id: str, **conf: Any) -> tuple[str, DagRun]:
        run = self.start(dag_id, **conf)
        return self.finish(run), run

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

    def fresh(self, organizations: int = 1, customers: int = 300) -> list[Any]:
        """Empty the warehouse and put customers of the simulator into the roster; returns them."""
        tables = "sync.roster, sync.run, sync.reject, sync.coupon_watch, syrve.organization, syrve.customer, syrve.wallet_balance"
        self.rows(f"truncate {tables}, syrve.card, syrve.customer_category, syrve.coupon_series, syrve.coupon")
        found = []
        for each in self.simulator.organizations()[:organizations]:
            page = self.simulator.customers_page(each["organization_id"], limit=customers)
            found += page
            for customer in page:
                self.rows(
                    "insert into sync.roster (organization_id, identity_kind, identity_value, source) values (%s, 'phone', %s, 'test')",
                    each["organization_id"],
                    customer["phone"],
                )
        return found


@pytest.fixture(scope="session")
def live_airflow() -> Iterator[LiveAirflow]:
    home = Path(tempfile.mkdtemp(prefix="syrve-e2e-"))
    home.chmod(0o711)
    stack = Stack(StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags"), os.environ, print)
    try:
        state = stack.bring_up(DEMO)
        try:
            api = stack.api(state)
            for dag_id in (
                names.ROSTER_IMPORT_DAG,
                names.CUSTOMERS_DAG,
                names.COUPONS_DAG,
                names.WALLET_IMPORT_DAG,
                names.BULK_TOPUP_DAG,
            ):
                wait_until_parsed(api, stack.paths.dags, dag_id, not_before=0.0)
                api.set_paused(dag_id, paused=False)
            assert state.simulator_url is not None
            yield LiveAirflow(stack, state, api, SimulatorControl(state.simulator_url))
        finally:
            stack.take_down(state, grace_seconds=5.0)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def airflow(live_airflow: LiveAirflow) -> LiveAirflow:
    """The live Airflow, with the simulator put in order."""
    control = live_airflow.simulator
    control.clear_faults()
    control.clear_raw_answers()
    control.set_switches(removed_rights=[], organizations_without_loyalty=[], latency_ms=0)
    control.reset_calls()
    return live_airflow
