"""Erasing, exporting and upkeep through the scheduler, with a second person who approves."""

from collections.abc import Iterator
from typing import Any

import pytest

from devstack import names


@pytest.fixture(scope="module")
def customer(live_airflow: Any) -> Iterator[dict[str, Any]]:
    customers = live_airflow.fresh(customers=20)
    assert live_airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    busy = (
        "select customer_id::text from wallet.open_hold union select customer_id::text from wallet.unsettled_operation"
    )
    held = {customer_id for (customer_id,) in live_airflow.rows(busy)}  # by other tests of this stack
    yield next(each for each in customers if each["customer_id"] not in held)
    # The other tests of this stack pull the same customers: none of them stays erased for these.
    live_airflow.rows("truncate privacy.erased_key")


def rows_of(airflow: Any, customer: dict[str, Any]) -> int:
    query = "select count(*) from syrve.customer where customer_id = %s"
    ((count,),) = airflow.rows(query, customer["customer_id"])
    return int(count)


def test_export_writes_a_file_and_names_nobody_in_the_log(airflow: Any, customer: dict[str, Any]) -> None:
    conf = {"organization_id": customer["organization_id"], "customer_id": customer["customer_id"]}

    state, run = airflow.run(names.EXPORT_DAG, **conf)

    assert state == "success"
    assert customer["phone"] not in airflow.task_log(run, "export")


def test_erasure_waits_for_another_person_and_leaves_nobody(airflow: Any, customer: dict[str, Any]) -> None:
    conf = {"organization_id": customer["organization_id"], "customer_ids": [customer["customer_id"]]}
    assert airflow.run(names.ERASE_DAG, **conf)[0] == "success"
    assert rows_of(airflow, customer) == 1, "a preview erases nobody"

    run = airflow.start(names.ERASE_DAG, dry_run=False, **conf)
    airflow.wait_for_question(run, "approve")
    assert rows_of(airflow, customer) == 1
    airflow.answer(run, "Approve")

    assert airflow.finish(run) == "success"
    assert rows_of(airflow, customer) == 0
    ((asked, done),) = airflow.rows(
        "select count(*), count(erased_at) from privacy.erasure where run_id = %s", run.run_id
    )
    assert (asked, done) == (1, 1)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    assert rows_of(airflow, customer) == 0

    for secret in secrets_of(customer):
        assert traces_in_airflow(airflow, secret) == set()
    assert {"dag_run"} <= traces_in_airflow(airflow, customer["customer_id"]) <= NAMED_BY_THE_FORM


NAMED_BY_THE_FORM = {"dag_run", "rendered_task_instance_fields", "log"}
"""Where Airflow keeps the form of the erasure, with the customer's id: docs/privacy.md says how these rows end."""


def secrets_of(customer: dict[str, Any]) -> list[str]:
    """What Airflow may know of nobody: the phone without its sign, e-mail address and cards."""
    cards = [str(card[key]) for card in customer.get("cards") or () for key in ("track", "number") if card.get(key)]
    return [str(customer["phone"]).lstrip("+"), *filter(None, [customer.get("email")]), *cards]


def traces_in_airflow(airflow: Any, text: str) -> set[str]:
    """The tables of Airflow's own database, and the logs of its tasks and services, that hold a text."""
    tables = airflow.rows(
        "select quote_ident(tablename) from pg_tables where schemaname = 'public'", database=names.METADATA_DATABASE
    )
    found = {
        table
        for (table,) in tables
        if airflow.rows(
            f"select 1 from {table} as held where held::text like %s limit 1",
            f"%{text}%",
            database=names.METADATA_DATABASE,
        )
    }
    logs = [
        file for file in airflow.stack.paths.airflow_home.rglob("*.log") if text in file.read_text(errors="replace")
    ]
    return found | {str(file) for file in logs}


def test_upkeep_runs(airflow: Any, customer: dict[str, Any]) -> None:
    assert airflow.run(names.MAINTENANCE_DAG)[0] == "success"
