"""The task group of a payment run by Airflow itself, with its own database: an order that did not go through gives its hold back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fixtures.airflow import SetConnection
from fixtures.wallets import Purse, open_purse
from syrve.api.config import SyrveConfig
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

DAG_FILE = """
import json, sys

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators.wallet import wallet_payment

def cook(outcome):
    if outcome == "skipped":
        raise AirflowSkipException("sold out")
    if outcome == "failed":
        raise RuntimeError("burnt")

with DAG("pays", schedule=None) as dag, wallet_payment(**json.loads(sys.argv[1])):
    first = PythonOperator(task_id="cook", python_callable=cook, op_args=[sys.argv[2]])
    first >> PythonOperator(task_id="serve", python_callable=cook, op_args=[sys.argv[3]])

if __name__ == "__main__":
    run = dag.test()
    print("STATES " + json.dumps({each.task_id: str(each.state) for each in run.get_task_instances()}))
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=100, seed=32) as process:
        yield process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow with a database of its own and no example."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "pays.py").write_text(DAG_FILE)
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environment(home), check=True, capture_output=True
    )
    return home


@pytest.fixture
def purse(
    simulator: SimulatorProcess, warehouse: Warehouse, warehouse_connection: None, set_connection: SetConnection
) -> Iterator[Purse]:
    budgets = json.dumps({"budgets": dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)})
    set_connection("syrve_default", conn_type="syrve", host=simulator.url, password="demo-login", extra=budgets)
    yield from open_purse(simulator, warehouse, SyrveConfig(simulator.url, "demo-login"))


def environment(home: Path) -> dict[str, str]:
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", "AIRFLOW__CORE__DAGS_FOLDER": str(home)}
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")} | own


@pytest.mark.parametrize(
    ("cook", "serve", "states", "left"),
    [
        ("done", "done", {"serve": "success", "settle": "success", "give_back": "skipped"}, "70.00"),
        ("skipped", "done", {"serve": "skipped", "settle": "skipped", "give_back": "success"}, "100.00"),
        ("done", "skipped", {"serve": "skipped", "settle": "skipped", "give_back": "success"}, "100.00"),
        ("failed", "done", {"serve": "upstream_failed", "settle": "upstream_failed", "give_back": "success"}, "100.00"),
    ],
)
def test_group_run_by_airflow_pays_or_gives_back(
    purse: Purse, home: Path, cook: str, serve: str, states: dict[str, str], left: str
) -> None:
    whose = {"organization_id": purse.organization_id, "customer_id": purse.customer_id, "wallet_id": purse.wallet_id}
    payment = json.dumps(whose | {"amount": "30.00", "order_id": "7"})

    done = subprocess.run(
        [sys.executable, "pays.py", payment, cook, serve],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=300,
    )

    (told,) = [line for line in done.stdout.splitlines() if line.startswith("STATES ")] or [done.stdout + done.stderr]
    found = {name.rpartition(".")[2]: state for name, state in json.loads(told.removeprefix("STATES ")).items()}
    assert found == {"hold": "success", "cook": "success" if cook == "done" else cook} | states
    assert (purse.balance, purse.holds) == (Decimal(left), ["cancelled"])
