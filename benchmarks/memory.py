"""Peak memory of a pull task: over few and over many customers, against a task that imports the same and does nothing."""

import json
import sys

from benchmarks.bench_server import bench_server, fill_roster
from benchmarks.measure import CLIENTS, Figures, Promise, run_client, say
from syrve_simulator.population.identity import Draw, Identities
from syrve_simulator.process import start_simulator

FULL, QUICK = (10_000, 500_000, 2), (200, 1_000, 1)
"""Customers of the small pull, customers of the large one, rounds of idle and small pull; the large one runs once."""
SEED = 11
CONCURRENCY = 16  # as a connection has it unless told otherwise


def run(*, quick: bool) -> list[Promise]:
    """Pull both sizes and return how much they differ and what the larger adds to an idle task."""
    few, many, rounds = QUICK if quick else FULL
    print(f"Peak memory of one process that pulls {few:,} and {many:,} customers")
    figures = Figures()
    with (
        bench_server() as here,
        start_simulator(customers=many, organizations=1, seed=SEED, dialect="cloud", lookup_log=False) as simulator,
    ):
        organization_id = simulator.control.organizations()[0]["organization_id"]
        identities = Identities(Draw(SEED), many, 1)
        work = here.home / "work.json"

        def measure(name: str, count: int, number: int) -> None:
            dsn = here.fresh_database("pull", migrated=True)
            fill_roster(dsn, organization_id, map(identities.phone, range(count)))
            told = {"url": simulator.url, "dsn": dsn, "scopes": [organization_id], "concurrency": CONCURRENCY}
            work.write_text(json.dumps(told | {"idle": count == 0}))
            done = run_client(name, [sys.executable, str(CLIENTS / "ours_pull.py"), str(work)])
            if done["done"] != count or (count and done["found"] != count):
                raise AssertionError(f"{name} found {done.get('found')} of {count} customers")
            figures.add(name, peak_mb=done["peak_mb"], seconds=done["seconds"])
            rate = f"{count / done['seconds']:,.0f} a second" if count else ""
            say(number, name, f"peak {done['peak_mb']:6.1f} MB  {done['seconds']:7.1f} s  {rate}")

        for number in range(rounds):
            measure("idle task", 0, number + 1)
            measure(f"{few:,} customers", few, number + 1)
        measure(f"{many:,} customers", many, 1)
    small, large = (figures.median(f"{count:,} customers", "peak_mb") for count in (few, many))
    above = max(small, large) - figures.median("idle task", "peak_mb")
    return [
        Promise(f"memory: pulls of {few:,} and {many:,} differ by", abs(large - small), 20, at_least=False, unit=" MB"),
        Promise("memory: the larger above an idle task", above, 150, at_least=False, unit=" MB"),
    ]
