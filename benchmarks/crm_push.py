"""The edits of a CRM into Syrve at 50 ms a call, planned and sent by us, and sent by hand with pyiikocloudapi.

The peer is told which rows were edited and keeps nothing but a mark. The ratio in a loop says what threads gain; the one with as many
threads says what a plan, its approval, the agreement and a record of each attempt cost.
"""

import json
import sys
from collections.abc import Sequence

from psycopg2.extras import execute_values

from benchmarks.bench_server import BenchServer, bench_server
from benchmarks.measure import (
    CLIENTS,
    OWN_ENVIRONMENT,
    PEER_ENVIRONMENT,
    Figures,
    Promise,
    TooSlowError,
    in_turn,
    run_client,
    say,
)
from benchmarks.peers import python_with
from syrve.crm.push_settings import PushSettings
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.process import SimulatorProcess, start_simulator

FULL, QUICK = 400, 20
ROUNDS = 2
LATENCY_MS = 50
BOUND_SECONDS = 120.0
PEER = ("psycopg2-binary==2.9.13", "pyiikocloudapi==0.0.32")
FILL = """
insert into syrve.customer (
    organization_id, customer_id, phone, name, is_deleted, extra, digest, first_seen_at, changed_at, profile_changed_at, fetched_at
) select *, 'Was', false, '{}', '\\x00', now(), now(), now(), now() from staging;
insert into crm.customer (organization_id, customer_id, name) select organization_id, customer_id, 'New' from staging
"""
FILL_PEER = "create table edited as select customer_id, 'New'::text as name, null::timestamptz as sent_at from staging"


def run(*, quick: bool) -> list[Promise]:
    """Send the same edits in each way and return how the times compare."""
    rows, rounds = (QUICK, 1) if quick else (FULL, ROUNDS)
    threads = PushSettings().max_concurrency
    loop, threaded = f"{PEER[1]} in a loop", f"{PEER[1]}, {threads} threads"
    ways = {"ours": threads, loop: 1, threaded: threads}
    figures = Figures()
    print(f"A push of {rows:,} edited customers, {LATENCY_MS} ms a call")
    with bench_server() as here, start_simulator(customers=rows, organizations=1, seed=3, dialect="cloud") as simulator:
        simulator.control.set_switches(latency_ms=LATENCY_MS)
        for number in range(rounds):
            for name in in_turn(list(ways), number):
                _measure(here, simulator, figures, number + 1, name, ways[name])
    return [
        Promise(
            f"crm_push: {name} to ours", figures.ratio(name, "ours"), promised, detail=figures.seconds("ours", name)
        )
        for name, promised in ((loop, 2.5), (threaded, 0.3))
    ]


def _measure(
    here: BenchServer, simulator: SimulatorProcess, figures: Figures, number: int, name: str, threads: int
) -> None:
    [organization] = simulator.control.organizations()
    organization_id = organization["organization_id"]
    people = [
        (organization_id, each["customer_id"], each["phone"]) for each in simulator.control.customers(organization_id)
    ]
    dsn = here.fresh_database("crm_push", migrated=True)
    _fill(dsn, people, FILL if name == "ours" else FILL_PEER)
    work = here.home / "work.json"
    work.write_text(
        json.dumps({"url": simulator.url, "organization_id": organization_id, "dsn": dsn, "threads": threads})
    )
    if name == "ours":
        command, environment = [sys.executable, str(CLIENTS / "ours_push.py"), str(work)], OWN_ENVIRONMENT
    else:
        command = [python_with(PEER), str(CLIENTS / "pyiiko_push.py"), str(work), str(threads)]
        environment = PEER_ENVIRONMENT
    server_cpu = here.cpu_seconds()
    try:
        told = run_client(name, command, environment, None if name == "ours" else BOUND_SECONDS)
    except TooSlowError as problem:
        figures.add(name, seconds=BOUND_SECONDS, bound=1.0)
        say(number, name, str(problem))
        return
    server_cpu = here.cpu_seconds() - server_cpu
    if told["done"] != len(people):
        raise AssertionError(f"{name} pushed {told['done']} of {len(people)} customers")
    figures.add(name, seconds=told["seconds"], client_cpu=told["cpu_seconds"], server_cpu=server_cpu)
    say(
        number,
        name,
        f"{told['seconds']:7.2f} s (CPU: client {told['cpu_seconds']:6.2f}, Postgres {server_cpu:5.2f})  "
        f"{told['done'] / told['seconds']:6,.0f} a second",
    )


def _fill(dsn: str, people: Sequence[tuple[str, str, str | None]], statement: str) -> None:
    with Warehouse(url_from_text(dsn)).transaction("fill") as cursor:
        cursor.execute("create temporary table staging (organization_id uuid, customer_id uuid, phone text)")
        execute_values(cursor, "insert into staging values %s", people)
        cursor.execute(statement)
