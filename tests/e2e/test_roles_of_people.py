"""What each role may do in Airflow is what docs/airflow-roles.md says, for every DAG, under both auth managers that we run."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack import ports, settings
from devstack.cli import REPOSITORY
from devstack.postgres import PostgresServer
from devstack.secret_store import Secrets
from devstack.settings import AirflowOptions, StackPaths
from e2e_support import wait_until

ROLES = ("Viewer", "User", "Op", "Admin")
EVERYBODY = ("nobody", *ROLES)
PASSWORD = "a password of the test"
DAG_IDS = sorted(path.stem for path in (REPOSITORY / "dags").glob("syrve_*.py"))
REFUSED = (401, 403)
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
MAKE_USERS = f"""
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    for role in {ROLES!r}:
        found = builder.sm.find_role(role)
        assert builder.sm.add_user(role, role, role, role + "@example.com", found, password={PASSWORD!r})
"""


@dataclass
class Site:
    """An api-server with one user per role."""

    url: str
    tokens: dict[str, str | None]

    def is_allowed(self, role: str, method: str, path: str, body: Any = None) -> bool:
        token = self.tokens[role]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, f"{self.url}/api/v2{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code < 500, (role, method, path, answer.status_code)
        return answer.status_code not in REFUSED


def table() -> dict[str, dict[str, bool]]:
    """The rights in the document: by action, then by role."""
    lines = (REPOSITORY / "docs" / "airflow-roles.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert tuple(rows[0][1:]) == EVERYBODY
    return {row[0]: dict(zip(EVERYBODY, [cell == "yes" for cell in row[1:]], strict=True)) for row in rows[2:]}


@pytest.fixture(scope="module", params=["fab", "simple"])
def site(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Site]:
    home = Path(tempfile.mkdtemp(prefix="syrve-roles-"))
    paths = StackPaths(REPOSITORY, home / "stack", REPOSITORY / "dags")
    paths.airflow_home.mkdir(parents=True)
    paths.airflow_config.touch()
    database = f"metadata_{request.param}"
    postgres_server.create_database(database)
    port = ports.free_port([])
    options = AirflowOptions(idle_sleep_seconds=1, follow_schedules=False)
    environment = settings.inherited_environment(os.environ, with_own_connections=False)
    dsn = postgres_server.dsn(database)
    environment |= settings.airflow_environment(paths, Secrets.generate(), dsn, port, options)
    if request.param == "fab":
        environment["AIRFLOW__CORE__AUTH_MANAGER"] = FAB
    else:
        environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = ",".join(f"{role}:{role.lower()}" for role in ROLES)
        paths.passwords.write_text(json.dumps(dict.fromkeys(ROLES, PASSWORD)))
    try:
        _run(environment, "-m", "airflow", "db", "migrate")
        _run(environment, "-m", "airflow", "dags", "reserialize")
        if request.param == "fab":
            _run(environment, "-c", MAKE_USERS)
        with (home / "api-server.log").open("w") as log:
            command = [sys.executable, "-m", "airflow", "api-server"]
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                yield _logged_in(f"http://127.0.0.1:{port}")
            finally:
                server.terminate()
                server.wait(30)
    finally:
        postgres_server.drop_database(database)
        shutil.rmtree(home, ignore_errors=True)


def _run(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def _logged_in(url: str) -> Site:
    def answers() -> bool:
        try:
            return requests.get(f"{url}/api/v2/monitor/health", timeout=5, proxies={"http": ""}).ok
        except requests.RequestException:
            return False

    wait_until(answers, "the api-server answers", timeout_seconds=180)
    tokens: dict[str, str | None] = {"nobody": None}
    for role in ROLES:
        login = {"username": role, "password": PASSWORD}
        answer = requests.post(f"{url}/auth/token", json=login, timeout=60, proxies={"http": ""})
        answer.raise_for_status()
        tokens[role] = str(answer.json()["access_token"])
    return Site(url, tokens)


def calls(dag_id: str, run_id: str) -> dict[str, list[tuple[str, str, Any]]]:
    """What each action of the table is in Airflow's API; where a name can't exist, the right is judged before the name."""
    dag, run = f"/dags/{dag_id}", f"/dags/{dag_id}/dagRuns/{run_id}"
    day = {"from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}
    answer = {"chosen_options": ["none of them"], "params_input": {}}
    connection = {"connection_id": "of_the_test", "conn_type": "http", "host": "127.0.0.1"}
    return {
        "see DAGs, forms, runbooks": [("GET", "/dags", None), ("GET", f"{dag}/details", None)],
        "read the code of DAGs": [("GET", f"/dagSources/{dag_id}", None)],
        "see runs, tasks, results": [
            ("GET", f"{dag}/dagRuns", None),
            ("GET", f"{run}/taskInstances", None),
            ("GET", f"{run}/taskInstances/~/xcomEntries", None),
        ],
        "see questions that wait for a person": [("GET", f"{run}/hitlDetails", None)],
        "trigger a run": [("POST", f"{dag}/dagRuns", {"logical_date": None, "conf": {}})],
        "pause, unpause": [("PATCH", dag, {"is_paused": True})],
        "start Airflow's own backfill": [("POST", "/backfills/dry_run", {"dag_id": dag_id, **day})],
        "answer a question": [("PATCH", f"{run}/taskInstances/approve/-1/hitlDetails", answer)],
        "mark a run or task": [
            ("PATCH", run, {"state": "queued"}),
            ("PATCH", f"{run}/taskInstances/approve/-1", {"new_state": "success"}),
        ],
        "clear tasks": [("POST", f"{dag}/clearTaskInstances", {"dry_run": True, "dag_run_id": run_id})],
        "delete a run": [("DELETE", f"{dag}/dagRuns/none", None)],
        "see connections": [("GET", "/connections", None)],
        "make or change connections": [
            ("POST", "/connections", connection),
            ("POST", "/connections/test", connection),
            ("DELETE", "/connections/none", None),
        ],
        "see or change variables": [
            ("GET", "/variables", None),
            ("POST", "/variables", {"key": "of_the_test", "value": "1"}),
        ],
        "change pools": [("PATCH", "/pools/none", {"name": "none", "slots": 1})],
    }


def test_roles_can_do_what_the_table_says(site: Site) -> None:
    wanted = table()
    found: dict[str, dict[str, set[bool]]] = {action: {role: set() for role in EVERYBODY} for action in wanted}
    for dag_id in DAG_IDS:
        assert set(calls(dag_id, "none")) == set(wanted)
        for action, requested in calls(dag_id, "none").items():
            for method, path, body in requested:
                for role in EVERYBODY:
                    found[action][role].add(site.is_allowed(role, method, path, body))

    assert found == {action: {role: {allowed} for role, allowed in row.items()} for action, row in wanted.items()}


def test_nobody_sees_only_that_the_server_lives(site: Site) -> None:
    openapi = requests.get(f"{site.url}/openapi.json", timeout=60, proxies={"http": ""})
    paths = openapi.json()["paths"] if openapi.ok else {}
    open_to_all = {
        path
        for path, methods in paths.items()
        if path.startswith("/api/v2/") and "get" in methods and "{" not in path
        if site.is_allowed("nobody", "GET", path.removeprefix("/api/v2"))
    }

    assert paths, "the api-server publishes its description"
    assert {"/api/v2/dags", "/api/v2/connections"} <= set(paths)
    assert open_to_all <= {"/api/v2/monitor/health", "/api/v2/version", "/api/v2/auth/login", "/api/v2/auth/logout"}
