"""What a customer costs in processor time, WAL and disk: the constants that docs/scaling.md reckons with. Promises nothing."""

import json
import sys

import psycopg2

from benchmarks.bench_server import BenchServer, bench_server, execute, fill_roster, written
from benchmarks.measure import CLIENTS, Figures, Promise, run_client, say
from syrve_simulator.process import SimulatorProcess, start_simulator

FULL, QUICK = 20_000, 400
CHANGED_ONE_IN = 100
SCHEMAS = ["syrve", "sync"]
SIZES = """
    select
        schemaname || '.' || relname, n_live_tup, pg_table_size(relid), pg_indexes_size(relid)
    from pg_stat_user_tables
    where schemaname in ('syrve', 'sync') and pg_total_relation_size(relid) > 200000
    order by pg_total_relation_size(relid) desc
"""


def run(*, quick: bool) -> list[Promise]:
    """Pull the same customers three times (new, unchanged, one in a hundred with another balance) and print what each costs."""
    count = QUICK if quick else FULL
    figures = Figures()
    with (
        bench_server() as here,
        start_simulator(customers=count, organizations=1, seed=11, dialect="cloud", lookup_log=False) as simulator,
    ):
        organization_id = simulator.control.organizations()[0]["organization_id"]
        customers = list(simulator.control.customers(organization_id))
        dsn = here.fresh_database("costs", migrated=True)
        fill_roster(dsn, organization_id, [phone for each in customers if (phone := each["phone"]) is not None])
        print(f"A pull of {count:,} customers, each figure a customer")
        _pull(here, simulator, dsn, organization_id, "new", figures)
        _make_due(dsn)
        _pull(here, simulator, dsn, organization_id, "unchanged", figures)
        for number, customer in enumerate(customers[::CHANGED_ONE_IN]):
            wallet_id = customer["wallets"][0]["id"]
            simulator.control.change_customer(
                organization_id, customer["customer_id"], balances={wallet_id: f"{number}.77"}
            )
        _make_due(dsn)
        _pull(here, simulator, dsn, organization_id, "1% changed", figures)
        _print_sizes(dsn)
    return []


def _pull(
    here: BenchServer, simulator: SimulatorProcess, dsn: str, organization_id: str, name: str, figures: Figures
) -> None:
    work = here.home / "work.json"
    work.write_text(json.dumps({"url": simulator.url, "dsn": dsn, "scopes": [organization_id], "concurrency": 64}))
    with written(here, dsn, SCHEMAS) as writes:
        told = run_client("ours", [sys.executable, str(CLIENTS / "ours_pull.py"), str(work)])
    done = told["done"]
    say(
        1,
        name,
        f"{done / told['seconds']:7,.0f} a second  CPU client {1e6 * told['cpu_seconds'] / done:5.0f} us, "
        f"server {1e6 * writes.cpu_seconds / done:5.0f} us  WAL {1e6 * writes.wal_mb / done:7,.0f} bytes  "
        f"rows written {writes.rows_written / done:6.3f}  dead {writes.dead_rows / done:6.3f}",
    )
    figures.add(name, seconds=told["seconds"])


def _make_due(dsn: str) -> None:
    execute(dsn, "update sync.roster set due_at = now()", "vacuum (full, analyze) sync.roster")


def _print_sizes(dsn: str) -> None:
    execute(dsn, "vacuum (analyze)")
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(SIZES)
        for name, rows, table, indexes in cursor.fetchall():
            print(
                f"  {name:<40} {rows:10,} rows  {table / max(rows, 1):6.0f} bytes per row + {indexes / max(rows, 1):6.0f} of indexes"
            )
    connection.close()
