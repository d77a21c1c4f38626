"""The whole job: look 20,000 customers up, stage and merge them; ours with models, budget, roster and counts, dlt at its best."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.bench_server import BenchServer, bench_server, fill_roster, peer_dsn
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
from benchmarks.peer_settings import JOB_VARIANTS
from benchmarks.peers import DLT, python_with
from syrve_simulator.process import SimulatorProcess, start_simulator

FULL, QUICK = (20_000, 4_000, 2), (600, 300, 1)
"""Customers, customers while the best settings of dlt are looked for, rounds."""
BOUND_SECONDS = 120.0
"""Longest time of a peer; one that takes longer is stopped."""
CONCURRENCY = 64
LATENCY_MS = 50
BY_HAND = "requests in threads + COPY"
THREADS_WITHOUT_LATENCY = 8  # more only wait for the interpreter's lock


@dataclass(frozen=True)
class Job:
    """What all contestants of one setting are given."""

    here: BenchServer
    simulator: SimulatorProcess
    organization_id: str
    phones: list[str]
    latency_ms: int

    @property
    def setting(self) -> str:
        """Name the setting."""
        return f"{self.latency_ms} ms, {CONCURRENCY} at once" if self.latency_ms else "no latency"


def run(*, quick: bool) -> list[Promise]:
    """Measure without latency and with 50 ms; print each round and return the two promises."""
    count, tuning_count, rounds = QUICK if quick else FULL
    promises = []
    with (
        bench_server() as here,
        start_simulator(customers=count, organizations=1, seed=11, dialect="cloud", lookup_log=False) as simulator,
    ):
        organization_id = simulator.control.organizations()[0]["organization_id"]
        customers = simulator.control.customers(organization_id)
        phones = [phone for each in customers if (phone := each["phone"]) is not None]
        for latency_ms, promised in ((0, 3.5), (LATENCY_MS, 1.8)):
            simulator.control.set_switches(latency_ms=latency_ms)
            trial = Job(here, simulator, organization_id, phones[:tuning_count], latency_ms)
            dlt = _tuned(trial)
            job = Job(here, simulator, organization_id, phones, latency_ms)
            print(f"The whole job of {count:,} customers, {job.setting}")
            figures = Figures()
            for number in range(rounds):
                for name in in_turn(["ours", dlt, BY_HAND], number):
                    _measure(job, name, figures, number + 1)
            by_hand = figures.ratio(BY_HAND, "ours")
            print(f"  for information: {BY_HAND} (no models, retries, budget, roster) takes {by_hand:.1f} times ours")
            ratio, detail = figures.ratio(dlt, "ours"), figures.seconds("ours", dlt)
            promises.append(Promise(f"whole_job, {job.setting}: {dlt} to ours", ratio, promised, detail=detail))
    return promises


def _tuned(job: Job) -> str:
    """Let dlt do a smaller job in each way that suits the setting and return the fastest."""
    print(f"Which way suits dlt best? {len(job.phones):,} customers, {job.setting}")
    ways = [name for name, settings in JOB_VARIANTS.items() if bool(job.latency_ms) == (settings["way"] != "loop")]
    trial = Figures()
    for name in ways:
        _measure(job, name, trial, "-")
    return trial.best(ways)


def _measure(job: Job, name: str, figures: Figures, number: int | str) -> None:
    dsn = job.here.fresh_database("contestant", migrated=name == "ours")
    command, environment = _contestant(job, name, dsn)
    server_cpu = job.here.cpu_seconds()
    try:
        told = run_client(name, command, environment, None if name == "ours" else BOUND_SECONDS)
    except TooSlowError as problem:
        figures.add(name, seconds=BOUND_SECONDS, bound=1.0)
        say(number, name, str(problem))
        job.here.server.drop_database("contestant")
        return
    server_cpu = job.here.cpu_seconds() - server_cpu
    if told["done"] != len(job.phones):
        raise AssertionError(f"{name} looked {told['done']} customers up instead of {len(job.phones)}")
    figures.add(name, seconds=told["seconds"], client_cpu=told["cpu_seconds"], server_cpu=server_cpu)
    rate = told["done"] / told["seconds"]
    say(
        number,
        name,
        f"{told['seconds']:7.2f} s (CPU: client {told['cpu_seconds']:6.2f}, Postgres {server_cpu:5.2f})  "
        f"{rate:7,.0f} a second  memory added {told['added_mb']:4.0f} MB",
    )
    job.here.server.drop_database("contestant")


def _contestant(job: Job, name: str, dsn: str) -> tuple[list[str], Mapping[str, str]]:
    """Write the contestant's work down and return its command and environment."""
    told: dict[str, Any] = {"url": job.simulator.url, "organization_id": job.organization_id, "phones": job.phones}
    told |= {"dsn": dsn, "concurrency": CONCURRENCY, "scopes": [job.organization_id]}
    work = job.here.home / "work.json"
    if name == "ours":
        command, environment = [sys.executable, str(CLIENTS / "ours_pull.py"), str(work)], OWN_ENVIRONMENT
        fill_roster(dsn, job.organization_id, job.phones)
    elif name == BY_HAND:
        told["threads"] = CONCURRENCY if job.latency_ms else THREADS_WITHOUT_LATENCY
        command, environment = [python_with(DLT), str(CLIENTS / "threads_copy_job.py"), str(work)], PEER_ENVIRONMENT
    else:
        number = len(list(job.here.home.glob("pipelines-*")))
        told |= {"dsn": peer_dsn(dsn), "pipelines_dir": str(job.here.folder(f"pipelines-{number}"))}
        settings = json.dumps(JOB_VARIANTS[name])
        command, environment = [python_with(DLT), str(CLIENTS / "dlt_job.py"), str(work), settings], PEER_ENVIRONMENT
    work.write_text(json.dumps(told))
    return command, environment
