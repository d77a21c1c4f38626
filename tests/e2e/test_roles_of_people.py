"""What each role may do in Airflow is what docs/airflow-roles.md says, for every DAG, under both auth managers that we run."""

from typing import Any

import requests

from devstack.cli import REPOSITORY
from fixtures.api_servers import ROLES, Site

EVERYBODY = ("nobody", *ROLES)
DAG_IDS = sorted(path.stem for path in (REPOSITORY / "dags").glob("syrve_*.py"))


def tables() -> list[list[list[str]]]:
    """The cells of the document's tables."""
    found: list[list[list[str]]] = [[]]
    for line in (REPOSITORY / "docs" / "airflow-roles.md").read_text().splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def table() -> dict[str, dict[str, bool]]:
    """The rights in the document: by action, then by role."""
    rows = tables()[0]
    assert tuple(rows[0][1:]) == EVERYBODY
    return {row[0]: dict(zip(EVERYBODY, [cell == "yes" for cell in row[1:]], strict=True)) for row in rows[2:]}


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


def test_managers_differ_as_the_document_says(site: Site) -> None:
    heads, _, *rows = tables()[1]
    wanted = {row[0]: set(row[heads.index("FAB" if site.kind == "fab" else "simple")].split(", ")) for row in rows}
    for dag_id in DAG_IDS:
        xcoms = f"/dags/{dag_id}/dagRuns/none/taskInstances/plan/xcomEntries"
        calls: dict[str, list[tuple[str, str, Any]]] = {
            "read the audit log": [("GET", "/eventLogs?limit=1", None)],
            "make, change, delete XComs": [
                ("POST", xcoms, {"key": "return_value", "value": 1}),
                ("PATCH", f"{xcoms}/return_value", {"value": 1}),
                ("DELETE", f"{xcoms}/return_value", None),
            ],
            "post events of assets": [("POST", "/assets/events", {"asset_id": 1_000_000})],
        }

        found = {
            (action, method): {role for role in EVERYBODY if site.is_allowed(role, method, path, body)}
            for action, requested in calls.items()
            for method, path, body in requested
        }

        assert found == {(action, method): wanted[action] for action, each in calls.items() for method, _, _ in each}


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
