"""What the benchmarks measure of a load is what it did."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.bench_server import BenchServer, Writes, bench_server, execute, scalar, written
from benchmarks.measure import CLIENTS, run_client

from benchmarks import population
from syrve_simulator.process import start_simulator

COUNT = 200


@pytest.fixture(scope="module")
def here() -> Iterator[BenchServer]:
    with bench_server() as made:
        yield made


def merge(here: BenchServer, dsn: str, load: dict[str, Any]) -> tuple[dict[str, Any], Writes]:
    work = here.home / "work.json"
    work.write_text(json.dumps({"count": COUNT, "seed": 5, "load": load, "dsn": dsn}))
    with written(here, dsn, ["syrve"]) as writes:
        told = run_client("ours", [sys.executable, str(CLIENTS / "ours_merge.py"), str(work)])
    return told, writes


def test_row_versions_dead_rows_and_wal_are_counted(here: Any) -> None:
    dsn = here.fresh_database("counted", migrated=False)
    execute(dsn, "create table public.thing (id integer primary key, value text)")
    with written(here, dsn, ["public"]) as writes:
        execute(
            dsn,
            "insert into thing select n, repeat('x', 1000) from generate_series(1, 1000) as n",
            "select sum(n) from generate_series(1, 1000000) as n",  # processor time is told in hundredths of a second
        )
    assert (writes.rows_written, writes.dead_rows) == (1000, 0)
    assert writes.wal_mb > 1.0
    assert writes.cpu_seconds > 0
    with written(here, dsn, ["public"]) as writes:
        execute(dsn, "update thing set value = 'y' where id <= 10", "delete from thing where id > 990")
    assert (writes.rows_written, writes.dead_rows) == (10, 20)
    with written(here, dsn, ["other"]) as writes:
        execute(dsn, "update thing set value = 'z' where id <= 10")
    assert (writes.rows_written, writes.dead_rows) == (0, 0)


def test_ours_merges_every_row_then_none_then_what_changed(here: Any) -> None:
    dsn = here.fresh_database("merged", migrated=True)
    rows = [each for customer in population.customers(COUNT, 5) for each in population.flat_rows(customer)]
    told, writes = merge(here, dsn, {})
    assert (told["changed"], writes.rows_written, writes.dead_rows) == (COUNT, len(rows), 0)
    for table in population.TABLES:
        assert scalar(dsn, f"select count(*) from syrve.{table}") == sum(name == table for name, _ in rows)
    told, writes = merge(here, dsn, {"again": True})
    assert (told["changed"], writes.rows_written, writes.dead_rows) == (0, 0, 0)
    told, writes = merge(here, dsn, {"changed": True})
    assert told["changed"] == COUNT // population.CHANGED_ONE_IN
    assert writes.rows_written >= population.changed_rows(COUNT, 5)


def test_our_clients_look_up_and_pull_everybody(here: Any) -> None:
    with start_simulator(customers=COUNT, organizations=1, seed=11, dialect="cloud") as simulator:
        (organization,) = simulator.control.organizations()
        customers = list(simulator.control.customers(organization["organization_id"]))
        found = {each["customer_id"] for each in customers}
        work = {
            "url": simulator.url,
            "dsn": here.fresh_database("clients", migrated=True),
            "organization_id": organization["organization_id"],
            "phones": [each["phone"] for each in customers],
            "scopes": [organization["organization_id"]],
            "concurrency": 16,
        }
        execute(
            work["dsn"],
            "insert into sync.roster (organization_id, identity_kind, identity_value, source) values "
            + ", ".join(f"('{organization['organization_id']}', 'id', '{each}', 'bench')" for each in sorted(found)),
        )
        path = here.home / "work.json"
        path.write_text(json.dumps(work))
        done = {
            name: run_client(name, [sys.executable, str(CLIENTS / f"{name}.py"), str(path)])["done"]
            for name in ("ours_lookups", "ours_pull")
        }

    assert done == dict.fromkeys(done, len(found))
