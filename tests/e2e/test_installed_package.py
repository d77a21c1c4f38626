"""The wheel in one's own Airflow, as docs/install.md shows it: no checkout, the DAGs from the package, one pull."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import psycopg2
import pytest

from devstack.cli import REPOSITORY
from devstack.postgres import PostgresServer
from fixtures.airflow import postgres_fields
from syrve_simulator.control import SimulatorControl
from syrve_simulator.process import start_simulator

CUSTOMERS = 30
INSTALL_GUIDE = REPOSITORY / "docs" / "install.md"


class OwnAirflow:
    """An environment with the wheel and what the lock holds, and an Airflow home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.python = home / "venv" / "bin" / "python"
        outside = ("PYTHONPATH", "AIRFLOW_", "SYRVE_", "VIRTUAL_ENV")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        self.environment |= {"AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def install(self) -> None:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        self.call(*build, "--wheel-dir", str(self.home), str(REPOSITORY))
        self.call(sys.executable, "-m", "venv", "--without-pip", str(self.home / "venv"))
        (wheel,) = self.home.glob("airflow_provider_syrve-*.whl")
        packages = next((self.home / "venv").glob("lib/python3*/site-packages"))
        self.call(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages), str(wheel))
        # The other packages are those of the lock, from the environment of the tests; its editable install is not followed.
        (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def call(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def run(self, *arguments: str) -> str:
        return self.call(str(self.python), *arguments)

    def airflow(self, *arguments: str) -> str:
        return self.run("-m", "airflow", *arguments)

    def listed(self, *arguments: str) -> list[dict[str, str]]:
        """What a command lists; Airflow writes warnings into the same stream, before the one line of JSON."""
        lines = self.airflow(*arguments, "--output", "json").strip().splitlines()
        found: list[dict[str, str]] = json.loads(lines[-1])
        return found


@pytest.fixture(scope="module")
def own_airflow(tmp_path_factory: pytest.TempPathFactory) -> OwnAirflow:
    own = OwnAirflow(tmp_path_factory.mktemp("own"))
    own.install()
    (variable,) = re.findall(r"^export (AIRFLOW__DAG_PROCESSOR__\w+)='(.*)'$", INSTALL_GUIDE.read_text(), re.MULTILINE)
    own.environment[variable[0]] = variable[1]
    own.airflow("db", "migrate")
    return own


def test_package_is_not_the_checkout(own_airflow: OwnAirflow) -> None:
    place = Path(own_airflow.run("-c", "import syrve; print(syrve.__file__)").strip())

    assert place.is_relative_to(own_airflow.home)
    assert (place.parent / "py.typed").is_file()


def test_airflow_knows_the_provider(own_airflow: OwnAirflow) -> None:
    providers = own_airflow.listed("providers", "list")

    assert "airflow-provider-syrve" in {each["package_name"] for each in providers}


def test_dags_of_the_package_load_and_pull(own_airflow: OwnAirflow, postgres_server: PostgresServer) -> None:
    postgres_server.create_database("installed_package")
    dsn = postgres_server.dsn("installed_package")
    own_airflow.airflow("dags", "reserialize")
    listed = own_airflow.listed("dags", "list")
    assert {each["dag_id"] for each in listed} == {path.stem for path in (REPOSITORY / "dags").glob("*.py")}
    assert {each["bundle_name"] for each in listed} == {"syrve"}

    with start_simulator(customers=CUSTOMERS, seed=5) as simulator, psycopg2.connect(dsn) as connection:
        own_airflow.environment |= {
            "AIRFLOW_CONN_SYRVE_DEFAULT": json.dumps(
                {"conn_type": "syrve", "host": simulator.url, "password": "demo-login"}
            ),
            "AIRFLOW_CONN_SYRVE_WAREHOUSE": json.dumps(postgres_fields(dsn)),
        }
        own_airflow.run("-m", "syrve.warehouse", "migrate")
        own_airflow.airflow("pools", "set", "syrve_api", "4", "calls to Syrve")
        control = SimulatorControl(simulator.url)
        rows = [
            (each["organization_id"], customer["phone"])
            for each in control.organizations()
            for customer in control.customers_page(each["organization_id"])
        ]
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into sync.roster (organization_id, identity_kind, identity_value, source) values (%s, 'phone', %s, 'test')",
                rows,
            )
            connection.commit()
            own_airflow.airflow("dags", "test", "syrve_customers")
            cursor.execute("select count(*) from syrve.customer")
            assert cursor.fetchone() == (len(set(rows)),)
