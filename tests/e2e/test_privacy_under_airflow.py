"""Erasing, exporting and upkeep through the scheduler, with a second person who approves."""

import json
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

import pytest

from devstack import names

TRACK, NUMBER = "PLANTEDTRACK8841", "7799553311"
PLANTED = {
    "name": "Ксочикецалина",
    "surname": "Quetzalplanted",
    "middleName": "Tezcatlipocovna",
    "email": "planted.person@example.com",
    "cards": [
        {"id": "5f4e0009-0000-4000-8000-00000000cafe", "track": TRACK, "number": NUMBER, "validToDate": None},
    ],
}
OWN_SECRETS = [TRACK, NUMBER, *(str(PLANTED[field]) for field in ("name", "surname", "middleName", "email"))]
"""What no other customer of the stack has: they may share a phone."""


@pytest.fixture(scope="module")
def customer(live_airflow: Any) -> Iterator[dict[str, Any]]:
    customers = live_airflow.fresh(customers=20)
    assert live_airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    busy = (
        "select customer_id::text from wallet.open_hold union select customer_id::text from wallet.unsettled_operation"
    )
    held = {customer_id for (customer_id,) in live_airflow.rows(busy)}  # by other tests of this stack
    chosen = next(each for each in customers if each["customer_id"] not in held)
    live_airflow.simulator.change_customer(chosen["organization_id"], chosen["customer_id"], fields=PLANTED)
    assert live_airflow.run(names.CUSTOMERS_DAG, force=True)[0] == "success"
    yield chosen
    # The other tests of this stack pull the same customers: none of them stays erased for these.
    live_airflow.rows("truncate privacy.erased_key")


def rows_of(airflow: Any, customer: dict[str, Any]) -> int:
    query = "select count(*) from syrve.customer where customer_id = %s"
    ((count,),) = airflow.rows(query, customer["customer_id"])
    return int(count)


def plant_files(airflow: Any, customer: dict[str, Any]) -> Path:
    """Put a file into the inbox that names the person in every way, in rows that are imported and in rows that are rejected."""
    phone = str(customer["phone"]).lstrip("+")
    texts = [str(PLANTED[field]) for field in ("name", "surname", "middleName", "email")]
    grouped = f"({phone[1:4]}) {phone[1:4]} {phone[4:7]}-{phone[7:9]}-{phone[9:]}"
    rows = [["phone", "card", "name", "surname", "middle_name", "email", "note", "number"]]
    rows += [[customer["phone"], "", *texts, "", NUMBER], ["", TRACK, *texts, "", NUMBER]]
    rows += [["no phone", "", *texts, grouped, NUMBER]]
    guests = Path(airflow.stack.paths.inbox) / "guests-to-forget.csv"
    guests.write_text("".join(",".join(row) + "\n" for row in rows))
    return guests


def test_export_writes_a_file_and_names_nobody_in_the_log(airflow: Any, customer: dict[str, Any]) -> None:
    conf = {"organization_id": customer["organization_id"], "customer_id": customer["customer_id"]}

    state, run = airflow.run(names.EXPORT_DAG, **conf)

    assert state == "success"
    assert customer["phone"] not in airflow.task_log(run, "export")


def test_erasure_waits_for_another_person_and_leaves_nobody(airflow: Any, customer: dict[str, Any]) -> None:
    conf = {"organization_id": customer["organization_id"], "customer_ids": [customer["customer_id"]]}
    assert airflow.run(names.ERASE_DAG, **conf)[0] == "success"
    assert rows_of(airflow, customer) == 1, "a preview erases nobody"
    whose = {"organization_id": customer["organization_id"]}
    others = set(inbox_of(airflow).rglob("*"))  # files that other tests of this stack left there, with the same guests
    guests = plant_files(airflow, customer)
    assert airflow.run(names.ROSTER_IMPORT_DAG, source="file", path=guests.name, dry_run=False, **whose)[0] == "success"
    assert rejected_files(airflow)
    for secret in secrets_of(customer):
        assert traces_in_airflow(airflow, secret, apart_from=others), "the search would find it"
    assert all(tables_with(airflow, secret, names.WAREHOUSE_DATABASE) for secret in OWN_SECRETS)

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

    assert airflow.run(names.ROSTER_IMPORT_DAG, source="file", path=guests.name, dry_run=False, **whose)[0] == "success"
    assert airflow.run(names.CUSTOMERS_DAG, force=True)[0] == "success"
    assert rows_of(airflow, customer) == 0, "nor does a file that is still there"
    guests.unlink()
    for file in set(rejected_files(airflow)) - others:
        file.unlink()  # of the last import, whose source was left as it is
    traces = {secret: traces_in_airflow(airflow, secret, apart_from=others) for secret in secrets_of(customer)}
    assert {secret: found for secret, found in traces.items() if found} == {}
    kept = {secret: tables_with(airflow, secret, names.WAREHOUSE_DATABASE) for secret in OWN_SECRETS}
    assert {secret: found for secret, found in kept.items() if found} == {}
    named = {Path(place).name for place in traces_in_airflow(airflow, customer["customer_id"], apart_from=others)}
    assert {"dag_run"} <= named <= NAMED_BY_THE_FORM


NAMED_BY_THE_FORM = {"dag_run", "rendered_task_instance_fields", "log", "openlineage.log"}
"""Where Airflow keeps or sends the form of the erasure, with the customer's id: docs/privacy.md says how these end."""


def secrets_of(customer: dict[str, Any]) -> list[str]:
    """What nobody may know of the person any more: the phone however it is written, names, e-mail address and card."""
    phone = str(customer["phone"]).lstrip("+")
    grouped = f"{phone[1:4]} {phone[4:7]}-{phone[7:9]}-{phone[9:]}"
    texts = [str(PLANTED[field]) for field in ("name", "surname", "middleName", "email")]
    return [phone, phone[1:], grouped, TRACK, NUMBER, *texts]


def rejected_files(airflow: Any) -> list[Path]:
    return list(airflow.stack.paths.inbox.glob("*.rejected.csv"))


def inbox_of(airflow: Any) -> Path:
    return Path(airflow.stack.paths.inbox)


def traces_in_airflow(airflow: Any, text: str, apart_from: Set[Path]) -> set[str]:
    """The tables of Airflow's own database, and the files of the whole stack, that hold a text.

    Left out: the files of Postgres, whose tables are searched by SQL, and what Syrve's stand-in keeps.
    """
    forms = [each.encode() for each in written_as(text)]
    files = {
        str(file)
        for file in set(files_of(airflow)) - apart_from
        if any(form in content for content in [file.read_bytes()] for form in forms)
    }
    return tables_with(airflow, text, names.METADATA_DATABASE) | files


def tables_with(airflow: Any, text: str, database: str) -> set[str]:
    """The tables of a database, in any schema, of which a row holds a text."""
    tables = airflow.rows(
        "select oid::regclass::text, relname::text from pg_class where relkind in ('r', 'm')"
        " and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')",
        database=database,
    )
    search = "select 1 from {} as held, unnest(%s) as written where strpos(held::text, written) > 0 limit 1"
    return {name for table, name in tables if airflow.rows(search.format(table), written_as(text), database=database)}


def written_as(text: str) -> list[str]:
    """How a text stands in a row or a file: as it is, in JSON, in JSON within a row, and as bytes."""
    escaped = json.dumps(text)[1:-1]
    return [text, escaped, escaped.replace("\\", "\\\\"), text.encode().hex()]


def files_of(airflow: Any) -> list[Path]:
    paths = airflow.stack.paths
    return [file for file in paths.directory.rglob("*") if file.is_file() and not file.is_relative_to(paths.postgres)]


def test_upkeep_runs(airflow: Any, customer: dict[str, Any]) -> None:
    assert airflow.run(names.MAINTENANCE_DAG)[0] == "success"
