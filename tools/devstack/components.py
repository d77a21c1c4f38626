"""How each component is started and how it is seen to be up."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import requests

from devstack import names
from devstack.airflow_api import AirflowApi
from devstack.environments import LOOPBACK, StackPaths
from devstack.errors import StackError
from devstack.processes import Command, ProcessRecord, raise_if_ended, wait_for

AIRFLOW_COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    # Without their log servers, which listen on every address: task logs are read from the directory they share.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
AIRFLOW_START_TIMEOUT_SECONDS = 420.0
# Airflow's own packages with tables in the metadata database: other versions need another `db migrate`.
SCHEMA_PACKAGES = ("apache-airflow-core", "apache-airflow-providers-fab")


def airflow_command(paths: StackPaths, name: str, env: Mapping[str, str]) -> Command:
    """Return the command of one of Airflow's long-running components."""
    return _python(paths, name, ("-m", "airflow", *AIRFLOW_COMPONENTS[name]), env)


def metadata_migration_command(paths: StackPaths, env: Mapping[str, str]) -> Command:
    """Return the command that makes Airflow's own tables."""
    return _python(paths, "metadata-migration", ("-m", "airflow", "db", "migrate"), env)


def warehouse_migration_command(paths: StackPaths, env: Mapping[str, str]) -> Command:
    """Return the command that applies the product's migrations."""
    return _python(paths, "warehouse-migration", ("-m", "syrve.warehouse", "migrate"), env)


def simulator_command(paths: StackPaths, env: Mapping[str, str]) -> Command:
    """Return the command of the simulator, on a port that it chooses and records."""
    options = {
        "--port-file": str(paths.simulator_port),
        "--dialect": "reference",
        "--customers": str(names.SIMULATOR_CUSTOMERS),
        "--organizations": str(names.SIMULATOR_ORGANIZATIONS),
        "--seed": str(names.SIMULATOR_SEED),
    }
    return _simulator(paths, "simulator", options, env)


def live_service_command(paths: StackPaths, env: Mapping[str, str]) -> Command:
    """Return the command of a small simulator that speaks as the live service does and sends webhooks."""
    options = {
        "--port-file": str(paths.live_service_port),
        "--dialect": "cloud",
        "--customers": str(names.LIVE_CUSTOMERS),
        "--organizations": "1",
        "--seed": str(names.LIVE_SEED),
    }
    return _simulator(paths, "live-service", options, env)


def schema_versions() -> str:
    """Describe what the tables of the metadata database were made for."""
    return "migrated by devstack: " + " ".join(f"{package}={version(package)}" for package in SCHEMA_PACKAGES)


def wait_for_simulator(record: ProcessRecord, port_file: Path, timeout_seconds: float = 60.0) -> str:
    """Wait until the simulator answers and return its address; raises StackError when it ends or takes too long."""
    wait_for("Starting the simulator", port_file.exists, [record], timeout_seconds)
    url = f"http://{LOOPBACK}:{int(port_file.read_text())}"

    def answers() -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"{url}/_control/health", timeout=5).ok
            except requests.RequestException:
                return False

    wait_for("Starting the simulator", answers, [record], timeout_seconds)
    return url


def wait_for_airflow(api: AirflowApi, records: Sequence[ProcessRecord]) -> None:
    """Wait until each of Airflow's components has given a sign of life since it was started.

    Raises StackError naming the component that ended, or those that keep silent, with the log of the first.
    """
    waiting = {record.name: record for record in records}
    deadline = time.monotonic() + AIRFLOW_START_TIMEOUT_SECONDS

    def all_alive() -> bool:
        for name, beat in api.heartbeats().items():
            if name in waiting and beat >= waiting[name].started_at:
                del waiting[name]
        return not waiting

    while not all_alive():
        raise_if_ended(records)
        if time.monotonic() > deadline:
            first = next(iter(waiting.values()))
            silent = ", ".join(waiting)
            raise StackError(f"No sign of life of {silent} in {AIRFLOW_START_TIMEOUT_SECONDS:.0f} s", Path(first.log))
        time.sleep(0.1)


def port_was_taken(records: Iterable[ProcessRecord]) -> bool:
    """Tell whether the api-server has ended because another program listens on its port."""
    ended = [record for record in records if record.name == "api-server" and not record.is_alive()]
    return any("address already in use" in Path(record.log).read_text(errors="replace").lower() for record in ended)


def _simulator(paths: StackPaths, name: str, options: Mapping[str, str], env: Mapping[str, str]) -> Command:
    arguments = [part for option in ({"--port": "0"} | dict(options)).items() for part in option]
    return _python(paths, name, ("-m", "syrve_simulator", *arguments), env)


def _python(paths: StackPaths, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> Command:
    # Not the `airflow` script: its first line holds the path of the interpreter, which the kernel cuts off when long.
    return Command(name, [sys.executable, *arguments], env, paths.log(name), paths.repository)
