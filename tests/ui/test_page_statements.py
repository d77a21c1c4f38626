"""What the page's statements read does not grow with history: each is explained on a warehouse, and again after twenty times the past.

Counted are the rows and index entries that a plan's scans touch, also those that they throw away, and the pages that it reads. Neither
depends on the machine or its load, and a scan of a history table shows at once.
"""

import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from syrve.warehouse.sql_files import sql, sql_folder
from ui.page_history import GROWN, PRESENT, STEADY, values_of

STATEMENTS = sorted(path.stem for path in (sql_folder() / "ui").glob("*.sql"))
Cost = tuple[float, int]
SLACK_ROWS, SLACK_PAGES = 250, 150
"""An index may be a level deeper, and a small table is read as a whole where a large one is asked by its index."""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


def explained(cursor: Any, statement: str, values: dict[str, Any]) -> dict[str, Any]:
    """Run a statement as the page's login, take back what it changed, and return its plan."""
    cursor.execute("savepoint before; set local role syrve_loader")
    cursor.execute("explain (analyze, buffers, verbose, timing off, format json) " + statement, values)
    found = cursor.fetchone()[0]
    cursor.execute("rollback to savepoint before")
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def cost(plan: dict[str, Any]) -> Cost:
    """Rows and entries that scans touched, and pages that were read."""
    rows = 0.0
    for node in nodes(plan):
        if "Scan" in node["Node Type"]:
            thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows += (node["Actual Rows"] + thrown_away) * node["Actual Loops"]
    return rows, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def tables(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads; a partition by the name of its whole."""
    found = {f"{node['Schema']}.{node['Relation Name']}" for node in nodes(plan) if "Relation Name" in node}
    known = sorted({*GROWN, *STEADY}, key=len, reverse=True)
    return {next((name for name in known if each == name or each.startswith(f"{name}_")), each) for each in found}


@pytest.fixture(scope="module")
def plans(postgres_server: PostgresServer, warehouse_template: str) -> Iterator[dict[str, tuple[dict[str, Any], ...]]]:
    """The plans of every statement, before and after the past was made."""
    name = "page_statements"
    postgres_server.drop_database(name)
    postgres_server.create_database(name, warehouse_template)
    connection = psycopg2.connect(postgres_server.dsn(name))
    connection.autocommit = True
    found: dict[str, list[dict[str, Any]]] = {each: [] for each in STATEMENTS}
    try:
        with connection.cursor() as cursor:
            for part in (PRESENT, GROWN.values()):
                cursor.execute("set session_replication_role = replica")
                for statement in part:
                    cursor.execute(statement)
                cursor.execute("set session_replication_role = origin")
                cursor.execute("vacuum (analyze)")
                cursor.execute("begin")
                values = values_of(cursor)
                for each in STATEMENTS:
                    found[each].append(explained(cursor, sql(f"ui/{each}.sql"), values))
                cursor.execute("rollback")
        yield {each: tuple(both) for each, both in found.items()}
    finally:
        connection.close()
        postgres_server.drop_database(name)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_reads_no_more_after_a_longer_past(plans: Any, name: str) -> None:
    before, after = (cost(plan) for plan in plans[name])

    assert after[0] <= 2 * before[0] + SLACK_ROWS, f"{name} touches {after[0]:,.0f} rows, before {before[0]:,.0f}"
    assert after[1] <= 3 * before[1] + SLACK_PAGES, f"{name} reads {after[1]:,} pages, before {before[1]:,}"


def test_every_table_that_statements_read_has_a_past_or_none(plans: Any) -> None:
    read = {table for both in plans.values() for plan in both for table in tables(plan)}

    assert read - {*GROWN, *STEADY} == set()


def test_scan_of_a_history_table_would_be_seen(plans: Any, postgres_server: PostgresServer) -> None:
    connection = psycopg2.connect(postgres_server.dsn("page_statements"))
    with connection, connection.cursor() as cursor:
        plan = explained(cursor, "select count(*) from wallet.operation where amount > 9999", {})
    connection.close()

    assert plans
    assert cost(plan)[0] > 30_000
