"""The wheel in one's own Airflow, as docs/install.md shows it: no checkout, no extras, the DAGs from the package, one pull."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import psycopg2
import pytest

from devstack.cli import REPOSITORY
from devstack.postgres import PostgresServer
from fixtures.airflow import postgres_fields
from fixtures.distributions import link_files
from supplychain.sbom import installed_needs
from syrve_simulator.control import SimulatorControl
from syrve_simulator.process import start_simulator

CUSTOMERS = 30
USE_EXTRAS = """
import io
from syrve.customers.identities import COLUMNS
from syrve.notifications.channels import open_channels
from syrve.notifications.errors import UnusableChannel
from syrve.sources.errors import UnusableSource
from syrve.sources.files import FileSource

for name, start in (("guests.xlsx", b"PK\\3\\4"), ("guests.parquet", b"PAR1")):
    try:
        list(FileSource(io.BytesIO(start * 9), name).chunks(COLUMNS))
    except UnusableSource as error:
        print(error)
try:
    open_channels()
except UnusableChannel as error:
    print(error)
"""
INSTALLED_OF_EXTRAS = """
from syrve.optional import EXTRAS, is_installed

print([package for packages in EXTRAS.values() for package in packages if is_installed(package)])
"""
INSTALL_GUIDE = REPOSITORY / "docs" / "install.md"


class OwnAirflow:
    """An environment with the wheel and what it declares, at the releases of the lock, and an Airflow home of its own."""

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
        (metadata,) = packages.glob("airflow_provider_syrve-*.dist-info")
        declared = [each for each in PathDistribution(metadata).requires or [] if "extra ==" not in each]
        for name in installed_needs(declared):
            link_files(distribution(name), packages)

    def call(self, *command: str) -> str:
        done = self.attempt(*command)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def attempt(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False, timeout=240
        )

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


@pytest.fixture(scope="module")
def warehouse_of_its_own(own_airflow: OwnAirflow, postgres_server: PostgresServer) -> str:
    postgres_server.create_database("installed_package")
    dsn = postgres_server.dsn("installed_package")
    own_airflow.environment["AIRFLOW_CONN_SYRVE_WAREHOUSE"] = json.dumps(postgres_fields(dsn))
    own_airflow.run("-m", "syrve.warehouse", "migrate")
    return dsn


def test_package_is_not_the_checkout(own_airflow: OwnAirflow) -> None:
    place = Path(own_airflow.run("-c", "import syrve; print(syrve.__file__)").strip())

    assert place.is_relative_to(own_airflow.home)
    assert (place.parent / "py.typed").is_file()


def test_airflow_knows_the_provider(own_airflow: OwnAirflow) -> None:
    providers = own_airflow.listed("providers", "list")

    assert "airflow-provider-syrve" in {each["package_name"] for each in providers}


def test_dags_of_the_package_load_and_pull(own_airflow: OwnAirflow, warehouse_of_its_own: str) -> None:
    own_airflow.airflow("dags", "reserialize")
    listed = own_airflow.listed("dags", "list")
    assert {each["dag_id"] for each in listed} == {path.stem for path in (REPOSITORY / "dags").glob("*.py")}
    assert {each["bundle_name"] for each in listed} == {"syrve"}

    with (
        start_simulator(customers=CUSTOMERS, seed=5) as simulator,
        psycopg2.connect(warehouse_of_its_own) as connection,
    ):
        own_airflow.environment |= {
            "AIRFLOW_CONN_SYRVE_DEFAULT": json.dumps(
                {"conn_type": "syrve", "host": simulator.url, "password": "demo-login"}
            ),
        }
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


def test_environment_holds_no_package_of_an_extra(own_airflow: OwnAirflow) -> None:
    assert own_airflow.run("-c", INSTALLED_OF_EXTRAS).strip() == "[]"


def test_files_and_channels_name_their_missing_extra(own_airflow: OwnAirflow) -> None:
    own_airflow.environment["AIRFLOW_CONN_SYRVE_NOTIFICATIONS"] = json.dumps(
        {"conn_type": "apprise", "extra": {"config": {"path": "json://127.0.0.1"}}}
    )

    said = own_airflow.run("-c", USE_EXTRAS).splitlines()

    assert said[-3:] == [
        "a .xlsx file needs openpyxl, not installed here: pip install 'airflow-provider-syrve[excel]'",
        "a .parquet file needs pyarrow, not installed here: pip install 'airflow-provider-syrve[parquet]'",
        (
            "the connection syrve_notifications needs apprise, airflow.providers.apprise, not installed here: "
            "pip install 'airflow-provider-syrve[notifications]'"
        ),
    ]


def test_report_is_skipped_and_names_its_missing_extra(own_airflow: OwnAirflow, warehouse_of_its_own: str) -> None:
    done = own_airflow.attempt(str(own_airflow.python), "-m", "airflow", "dags", "test", "syrve_reconcile_holds")

    assert done.returncode == 0
    assert "No report is written: the report needs matplotlib, pandas, not installed here" in done.stdout + done.stderr
