"""Customers with their wallets, cards and categories from memory into keyed tables: first load, again unchanged, again 1 % changed."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2

from benchmarks import population
from benchmarks.bench_server import BenchServer, Writes, bench_server, execute, peer_dsn, scalar, written
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
from benchmarks.peer_settings import ARROW, DLT_VARIANTS, PANDAS_VARIANTS
from benchmarks.peers import DLT, PANDAS, python_with

SEED = 17
FULL, QUICK = (100_000, 20_000, 2), (1_000, 500, 1)
"""Customers, customers while the peers' best settings are looked for, rounds."""
BOUND_SECONDS, TUNING_BOUND_SECONDS = 120.0, 40.0
"""Longest time of one load of a peer. One that is stopped gives no figure but the bound."""
LOADS: dict[str, dict[str, bool]] = {"first": {}, "unchanged": {"again": True}, "1% changed": {"changed": True}}
TABLES = tuple(population.TABLES)
ARROW_TABLES = "dlt, four Arrow tables"
FOR_INFORMATION = (
    ("pandas", "pandas, COPY as method"),
    ("dlt", ARROW_TABLES),
    ("dlt", "dlt upsert, as it comes"),
)
RAW, RAW_INDEXED = "raw COPY, keyed tables", "raw COPY, our indexes too"


@dataclass(frozen=True)
class Contestant:
    """Who merges: the client's command, where it writes, and which loads it can do."""

    name: str
    command: tuple[str, ...]
    schemas: tuple[str, ...]
    loads: tuple[str, ...] = tuple(LOADS)
    migrated: bool = False
    environment: Mapping[str, str] | None = None
    is_peer: bool = False
    set_up: Callable[[BenchServer, str], dict[str, Any]] | None = None


def run(*, quick: bool) -> list[Promise]:
    """Measure, print each load's figures, and return what was promised of them."""
    count, tuning_count, rounds = QUICK if quick else FULL
    figures = Figures()
    with bench_server() as here:
        texts = _rows_as_text(here, count)
        dlt_best = _tuned(here, "dlt", tuning_count)
        pandas_best = _tuned(here, "pandas", tuning_count)
        contestants = [_ours(), *_raw(texts), _peer("dlt", dlt_best), _peer("pandas", pandas_best)]
        compared = [each.name for each in contestants]
        informing = [name for _, name in FOR_INFORMATION if name not in compared and name != ARROW_TABLES]
        contestants += [_peer(kind, name) for kind, name in FOR_INFORMATION if name not in compared]
        known = {each.name: each for each in contestants}
        print(f"Merging {count:,} customers, medians of {rounds} rounds in the end")
        for number in range(rounds):
            for name in in_turn(list(known), number):
                if number == 0 or name not in informing:
                    _three_loads(here, known[name], count, figures, number + 1, BOUND_SECONDS)
        _print_medians(figures, known)
    return _promises(figures, count, dlt_best, pandas_best)


def _promises(figures: Figures, count: int, dlt: str, pandas: str) -> list[Promise]:
    def ratio(peer: str, load: str) -> float:
        return figures.ratio(f"{peer}/{load}", f"ours/{load}")

    changed = population.changed_rows(count, SEED)
    print(
        f"  changed rows of the last load: {changed:,}; ours left {figures.largest('ours/1% changed', 'dead'):,.0f} dead"
    )
    limit = figures.ratio(f"{dlt}/first", f"{RAW}/first")
    print(f"  the limit: {RAW} alone, of rows made ready beforehand, is {limit:.1f} times as fast as {dlt}, first load")
    for _, name in FOR_INFORMATION:
        reported = ", ".join(f"{load} {ratio(name, load):.1f}x" for load in LOADS)
        print(f"  for information: {name} to ours: {reported}")
    in_proportion = figures.largest("ours/1% changed", "dead") / changed
    return [
        *(
            Promise(
                f"merge, {load}: {peer} to ours",
                ratio(peer, load),
                least,
                detail=figures.seconds(f"ours/{load}", f"{peer}/{load}"),
            )
            for peer, load, least in (
                (dlt, "first", 2.5),
                (dlt, "unchanged", 12.0),
                (dlt, "1% changed", 9.0),
                (ARROW_TABLES, "first", 1.0),
                (ARROW_TABLES, "unchanged", 4.0),
                (ARROW_TABLES, "1% changed", 3.0),
                (pandas, "first", 3.0),
            )
        ),
        Promise(
            f"merge, first load: ours to {RAW_INDEXED}",
            figures.ratio("ours/first", f"{RAW_INDEXED}/first"),
            1.6,
            at_least=False,
            detail=figures.seconds("ours/first", f"{RAW_INDEXED}/first"),
        ),
        Promise(
            "merge, unchanged: row versions written in schema syrve",
            figures.largest("ours/unchanged", "rows"),
            0.0,
            at_least=False,
            unit="",
        ),
        Promise("merge, unchanged: WAL", figures.median("ours/unchanged", "wal_mb"), 1.0, at_least=False, unit=" MB"),
        Promise("merge, 1% changed: dead rows to changed rows", in_proportion, 3.0, at_least=False),
    ]


def _three_loads(
    here: BenchServer, who: Contestant, count: int, figures: Figures, number: int | str, bound_seconds: float
) -> None:
    dsn = here.fresh_database("contestant", migrated=who.migrated)
    more = who.set_up(here, dsn) if who.set_up else {}
    for done, load in enumerate(who.loads):
        work = here.home / "work.json"
        work.write_text(json.dumps({"count": count, "seed": SEED, "load": LOADS[load], "dsn": dsn} | more))
        before = str(scalar(dsn, "select pg_current_xact_id()::text"))
        try:
            with written(here, dsn, list(who.schemas)) as writes:
                environment = who.environment or OWN_ENVIRONMENT
                command = [part.replace("WORK", str(work)) for part in who.command]
                reported = run_client(who.name, command, environment, bound_seconds if who.is_peer else None)
        except TooSlowError as problem:
            for left in who.loads[done:]:
                figures.add(f"{who.name}/{left}", seconds=bound_seconds, bound=1.0)
            say(number, f"{who.name}, {load}", f"{problem}; its further loads are left out")
            break
        if "syrve" in who.schemas:
            _check_rows_written(dsn, before, writes)
        figures.add(f"{who.name}/{load}", seconds=reported["seconds"], wal_mb=writes.wal_mb, rows=writes.rows_written)
        figures.add(
            f"{who.name}/{load}", dead=writes.dead_rows, added_mb=reported["added_mb"], peak_mb=reported["peak_mb"]
        )
        figures.add(f"{who.name}/{load}", client_cpu=reported["cpu_seconds"], server_cpu=writes.cpu_seconds)
        say(number, f"{who.name}, {load}", _format_load(reported, writes))
    here.server.drop_database("contestant")


def _check_rows_written(dsn: str, before: str, writes: Writes) -> None:
    """Compare Postgres's counts with the rows themselves: a version made since then carries a younger transaction id."""
    tables = " union all ".join(f"select xmin from syrve.{table}" for table in TABLES)
    query = f"select count(*) from ({tables}) as kept where xmin::text::bigint >= %s::bigint %% (1::bigint << 32)"
    kept = int(str(scalar(dsn, query, (before,))))
    if kept > writes.rows_written:
        raise AssertionError(f"{kept} rows carry a new version, but the statistics count {writes.rows_written}")


def _format_load(reported: Mapping[str, Any], writes: Writes) -> str:
    return (
        f"{reported['seconds']:7.2f} s (CPU: client {reported['cpu_seconds']:6.2f}, server {writes.cpu_seconds:6.2f})  "
        f"WAL {writes.wal_mb:6.1f} MB  rows written {writes.rows_written:9,}  "
        f"dead {writes.dead_rows:9,}  memory added {reported['added_mb']:5.0f} MB"
    )


COLUMNS = {
    "seconds": "8.2f",
    "client_cpu": "11.2f",
    "server_cpu": "11.2f",
    "wal_mb": "8.1f",
    "rows": "11,.0f",
    "dead": "9,.0f",
    "added_mb": "9.0f",
}


def _print_medians(figures: Figures, contestants: Mapping[str, Contestant]) -> None:
    heads = " ".join(f"{name:>{shape.partition('.')[0].rstrip(',')}}" for name, shape in COLUMNS.items())
    print(f"  {'medians':<60} {heads}")
    for who in contestants.values():
        for load in who.loads:
            name = f"{who.name}/{load}"
            known = [column for column in COLUMNS if (name, column) in figures.values]
            each = " ".join(f"{figures.median(name, column):{COLUMNS[column]}}" for column in known)
            each += " (stopped at the bound)" if (name, "bound") in figures.values else ""
            print(f"  {who.name + ', ' + load:<60} {each}")


def _ours() -> Contestant:
    return Contestant("ours", (sys.executable, str(CLIENTS / "ours_merge.py"), "WORK"), ("syrve",), migrated=True)


def _peer(kind: str, name: str) -> Contestant:
    packages: tuple[str, ...]
    schemas: tuple[str, ...]
    if kind == "pandas":
        client, packages, settings, schemas = "pandas_merge.py", PANDAS, PANDAS_VARIANTS[name], ("public",)
    elif name == ARROW_TABLES:
        client, packages, settings, schemas = "dlt_arrow.py", DLT, ARROW, ("loaded",)
    else:
        client, packages, settings, schemas = "dlt_merge.py", DLT, DLT_VARIANTS[name], ("loaded",)
    command = (python_with(packages), str(CLIENTS / client), "WORK", json.dumps(settings))
    return Contestant(name, command, schemas, environment=PEER_ENVIRONMENT, is_peer=True, set_up=_peer_folder)


def _peer_folder(here: BenchServer, dsn: str) -> dict[str, Any]:
    """A pipeline's state lives as long as its database."""
    number = len(list(here.home.glob("pipelines-*")))
    return {"dsn": peer_dsn(dsn), "pipelines_dir": str(here.folder(f"pipelines-{number}"))}


def _tuned(here: BenchServer, kind: str, count: int) -> str:
    """Let every variant of a peer do the three loads once and return the name of the fastest."""
    print(f"Which settings suit {kind} best? {count:,} customers, three loads each")
    trial = Figures()
    variants = list(DLT_VARIANTS if kind == "dlt" else [name for name in PANDAS_VARIANTS if "COPY" not in name])
    totals = {}
    for name in variants:
        _three_loads(here, _peer(kind, name), count, trial, "-", TUNING_BOUND_SECONDS)
        totals[name] = sum(trial.median(f"{name}/{load}", "seconds") for load in LOADS)
    best = min(totals, key=totals.__getitem__)
    print(f"  best: {best}, {totals[best]:.1f} s for the three")
    return best


def _rows_as_text(here: BenchServer, count: int) -> dict[str, str]:
    """Let ours load once and keep the rows as COPY writes them: the raw contestant then loads the very same rows."""
    dsn = here.fresh_database("contestant", migrated=True)
    work = here.home / "work.json"
    work.write_text(json.dumps({"count": count, "seed": SEED, "load": {}, "dsn": dsn}))
    run_client("ours", [part.replace("WORK", str(work)) for part in _ours().command])
    paths = {}
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        for table in TABLES:
            path = here.home / f"{table}.copy"
            with path.open("wb") as file:
                cursor.copy_expert(f"copy syrve.{table} to stdout", file)
            paths[f"raw.{table}"] = str(path)
    connection.close()
    return paths


def _raw(texts: dict[str, str]) -> list[Contestant]:
    command = (sys.executable, str(CLIENTS / "raw_copy.py"), "WORK")

    def keyed(_: BenchServer, dsn: str) -> dict[str, Any]:
        execute(dsn, "create schema raw")
        for table, (_columns, key) in population.TABLES.items():
            execute(dsn, f"create table raw.{table} (like syrve.{table}, primary key ({', '.join(key)}))")
        return {"texts": texts}

    def indexed(_: BenchServer, dsn: str) -> dict[str, Any]:
        execute(
            dsn,
            "create schema raw",
            *(f"create table raw.{table} (like syrve.{table} including all)" for table in TABLES),
        )
        return {"texts": texts}

    return [
        Contestant(RAW, command, ("raw",), ("first",), migrated=True, set_up=keyed),
        Contestant(RAW_INDEXED, command, ("raw",), ("first",), migrated=True, set_up=indexed),
    ]
