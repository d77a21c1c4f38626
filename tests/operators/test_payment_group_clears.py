"""The task group of a payment cleared or marked by hand anywhere, under the same run id: it runs again, and no money moves twice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fixtures.airflow import SetConnection
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.api.dialects import DIALECTS
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

DAG_FILE = """
import json, os, sys
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators.wallet import wallet_payment

FIELDS = ("organization_id", "customer_id", "wallet_id", "amount", "order_id")
PARAMS = {name: Param("", type="string") for name in (*FIELDS, "cook", "serve")}

def cook(outcome):
    if outcome == "skipped":
        raise AirflowSkipException("sold out")
    if outcome == "failed":
        raise RuntimeError("burnt")

with (
    DAG("pays", schedule=None, params=PARAMS) as dag,
    wallet_payment(**{name: "{{ params.%s }}" % name for name in FIELDS}),
):
    first = PythonOperator(task_id="cook", python_callable=cook, op_args=["{{ params.cook }}"])
    first >> PythonOperator(task_id="serve", python_callable=cook, op_args=["{{ params.serve }}"])

if __name__ == "__main__":
    for line in sys.stdin:
        step = json.loads(line)
        os.environ.update(step["environ"])
        date = datetime.fromisoformat(step["date"])
        run = dag.test(run_after=date, logical_date=date, run_conf=step["conf"], mark_success_pattern=step["marked"])
        states = {each.task_id.rpartition(".")[2]: str(each.state) for each in run.get_task_instances()}
        print("STATES " + json.dumps({"run_id": run.run_id, "states": states}), flush=True)
"""
TASKS = {"hold": "hold", "cook": "order.cook", "serve": "order.serve", "settle": "settle", "give_back": "give_back"}
ALL = tuple(TASKS)
CLEARED = [("hold",), ("settle",), ("give_back",), ALL[1:], ALL]
"""Tasks that are cleared together: those that move money by themselves, or with those after them."""


@dataclass
class Airflow:
    """Airflow in one process, which runs the group as often as it is asked to."""

    process: subprocess.Popen[str]
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: int = 0

    def run(self, number: int, conf: dict[str, str], tasks: tuple[str, ...]) -> dict[str, Any]:
        """Run some tasks of a run; a person marks the others as success. The same number is the same run id."""
        others = "|".join(name for task, name in TASKS.items() if task not in tasks)
        step = {
            "date": (self.began_at - timedelta(minutes=number)).isoformat(),
            "conf": conf,
            "marked": rf"payment\.({others})$" if others else None,
            "environ": {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")},
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()
        told = next((line for line in self.process.stdout if line.startswith("STATES ")), None)
        assert told is not None, "Airflow's process ended"
        done: dict[str, Any] = json.loads(told.removeprefix("STATES "))
        return done


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """An Airflow with a database of its own and no example."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "pays.py").write_text(DAG_FILE)
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", "AIRFLOW__CORE__DAGS_FOLDER": str(home)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")} | own
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    with (
        (home / "stderr").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "pays.py"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield Airflow(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def simulators() -> Iterator[dict[str, SimulatorProcess]]:
    with (
        start_simulator(customers=100, seed=33) as reference,
        start_simulator(customers=100, seed=33, dialect="cloud") as cloud,
    ):
        yield {"reference": reference, "cloud": cloud}


@pytest.fixture(params=DIALECTS)
def purse(
    request: pytest.FixtureRequest,
    simulators: dict[str, SimulatorProcess],
    warehouse: Warehouse,
    warehouse_connection: None,
    set_connection: SetConnection,
) -> Iterator[Purse]:
    simulator = simulators[request.param]
    extra = json.dumps({"dialect": request.param, "budgets": dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)})
    set_connection("syrve_default", conn_type="syrve", host=simulator.url, password="demo-login", extra=extra)
    yield from open_purse(simulator, warehouse, SyrveConfig(simulator.url, "demo-login", dialect=request.param))


def form(purse: Purse, order_id: str, cook: str, serve: str = "done") -> dict[str, str]:
    whose = {"organization_id": purse.organization_id, "customer_id": purse.customer_id, "wallet_id": purse.wallet_id}
    return whose | {"amount": "30.00", "order_id": order_id, "cook": cook, "serve": serve}


def outcome(purse: Purse) -> tuple[Decimal, list[str], dict[str, int]]:
    """What the guest has, and what arrived at Syrve."""
    return purse.balance, purse.holds, dict(purse.received)


@pytest.mark.parametrize(("cook", "left"), [("done", "70.00"), ("failed", "100.00")])
def test_cleared_tasks_of_a_payment_move_nothing_again(airflow: Airflow, purse: Purse, cook: str, left: str) -> None:
    airflow.runs += 1
    first = airflow.run(airflow.runs, form(purse, "7", cook), ALL)
    once = outcome(purse)
    assert once[:2] == (Decimal(left), ["cancelled"])
    assert first["states"]["settle"] == ("success" if cook == "done" else "upstream_failed")

    for tasks in CLEARED:
        again = airflow.run(airflow.runs, form(purse, "7", cook), tasks)

        assert again["run_id"] == first["run_id"]
        assert outcome(purse) == once, (tasks, again)


def test_order_that_goes_through_once_cleared_is_not_charged(airflow: Airflow, purse: Purse) -> None:
    """Its money was given back: a payment of another id may take it."""
    airflow.runs += 1
    airflow.run(airflow.runs, form(purse, "7", "failed"), ALL)

    again = airflow.run(airflow.runs, form(purse, "7", "done"), ALL[1:])

    assert again["states"] == dict.fromkeys(ALL, "success") | {"settle": "failed", "give_back": "skipped"}
    assert (purse.balance, purse.received["wallet_chargeoff"]) == (Decimal("100.00"), 0)


@pytest.mark.parametrize("purse", ["reference"], indirect=True)
@pytest.mark.parametrize("cook", ["done", "skipped"])
def test_task_marked_as_success_is_made_good_by_a_clear(airflow: Airflow, purse: Purse, cook: str) -> None:
    for marked in TASKS:
        purse.set_balance("100.00")
        purse.simulator.control.reset_calls()
        airflow.runs += 1
        airflow.run(airflow.runs, form(purse, marked, cook), tuple(task for task in TASKS if task != marked))
        assert purse.balance in (Decimal("100.00"), Decimal("70.00"))

        done = airflow.run(airflow.runs, form(purse, marked, cook), ALL)

        is_served = cook == "done" or marked == "cook"  # the person said so, and it is paid
        left = Decimal("70.00") if is_served else Decimal("100.00")
        assert (purse.balance, set(purse.holds)) == (left, {"cancelled"}), (marked, done)
        assert max(purse.received.values()) == 1, (marked, dict(purse.received))
