"""Look-ups without a budget to wait for: tokens, models and the shared budget's bookkeeping included."""

import json
import sys
from pathlib import Path

from benchmarks.bench_server import bench_server
from benchmarks.measure import CLIENTS, Figures, Promise, TooSlowError, in_turn, run_client, say
from benchmarks.peers import PYIIKO, python_with
from syrve_simulator.process import start_simulator

THREADS = (8, 16, 32)
BOUND_SECONDS = 60.0


def run(*, quick: bool) -> list[Promise]:
    """Measure ours against requests in threads and against pyiikocloudapi in a loop."""
    customers, rounds = (300, 1) if quick else (5_000, 3)
    print(f"Look-ups of {customers:,} customers, one process each, no latency")
    peer = PYIIKO[0]
    figures = Figures()
    with (
        bench_server() as here,
        start_simulator(customers=customers, organizations=1, seed=11, dialect="cloud", lookup_log=False) as simulator,
    ):
        organization_id = simulator.control.organizations()[0]["organization_id"]
        phones = [customer["phone"] for customer in simulator.control.customers(organization_id)]
        work = here.home / "work.json"
        told = {"url": simulator.url, "organization_id": organization_id, "phones": phones}
        work.write_text(json.dumps(told | {"dsn": here.fresh_database("lookups", migrated=True)}))
        commands = _commands(work)
        for number in range(rounds):
            for name in in_turn(list(commands), number):
                _measure(name, commands[name], number + 1, figures)
    threaded = figures.best([name for name in commands if name.startswith("requests")])
    return [
        Promise(
            f"lookups: ours to the best threaded client ({threaded})",
            figures.ratio(threaded, "ours"),
            4.0,
            detail=figures.seconds("ours", threaded),
        ),
        Promise(
            f"lookups: ours to {peer} in a loop", figures.ratio(peer, "ours"), 3.0, detail=figures.seconds("ours", peer)
        ),
    ]


def _commands(work: Path) -> dict[str, list[str]]:
    threaded = str(CLIENTS / "threaded_requests.py")
    return {
        "ours": [sys.executable, str(CLIENTS / "ours_lookups.py"), str(work)],
        **{f"requests, {threads} threads": [sys.executable, threaded, str(work), str(threads)] for threads in THREADS},
        PYIIKO[0]: [python_with(PYIIKO), str(CLIENTS / "pyiiko.py"), str(work)],
    }


def _measure(name: str, command: list[str], number: int, figures: Figures) -> None:
    try:
        measured = run_client(name, command, bound_seconds=None if name == "ours" else BOUND_SECONDS)
    except TooSlowError as problem:
        figures.add(name, seconds=BOUND_SECONDS, bound=1.0)
        say(number, name, str(problem))
        return
    figures.add(name, seconds=measured["seconds"])
    say(number, name, f"{measured['done'] / measured['seconds']:10,.0f} a second")
