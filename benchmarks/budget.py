"""Look-ups under a budget of calls a minute, two processes sharing it, before a gateway that refuses what exceeds it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.bench_server import bench_server
from benchmarks.measure import CLIENTS, OWN_ENVIRONMENT, Promise, run_client, say
from syrve_simulator.process import start_simulator

PER_MINUTE = 1_200
LATENCY_MS = 50
PROCESSES = 2
FULL, QUICK = 2_400, 100
"""Look-ups: two minutes of the budget, or a few seconds of it."""
START_SECONDS = 30.0


def run(*, quick: bool) -> list[Promise]:
    """Look up at the budget's pace and return which share of it was used and how often the gateway refused."""
    count = QUICK if quick else FULL
    print(
        f"{count:,} look-ups under a budget of {PER_MINUTE:,} a minute, {LATENCY_MS} ms latency, {PROCESSES} processes"
    )
    with (
        bench_server() as here,
        start_simulator(customers=count, organizations=1, seed=11, dialect="cloud", latency_ms=LATENCY_MS) as simulator,
        limiter(simulator.url, PER_MINUTE, here.home / "port") as gateway,
    ):
        organization_id = simulator.control.organizations()[0]["organization_id"]
        phones = [customer["phone"] for customer in simulator.control.customers(organization_id)]
        told = {"url": gateway, "organization_id": organization_id, "per_minute": PER_MINUTE}
        told |= {"dsn": here.fresh_database("budget", migrated=True)}
        commands = []
        for number in range(PROCESSES):
            work = here.home / f"work-{number}.json"
            work.write_text(json.dumps(told | {"phones": phones[number::PROCESSES]}))
            commands.append([sys.executable, str(CLIENTS / "ours_lookups.py"), str(work)])
        with ThreadPoolExecutor(PROCESSES) as pool:
            done = list(pool.map(lambda command: run_client("ours", command), commands))
        counted = requests.get(f"{gateway}/_limiter", timeout=10).json()
    for number, each in enumerate(done):
        say(
            1,
            f"process {number + 1}",
            f"{each['done']:,} look-ups in {each['seconds']:.1f} s, {each['rate_limited']} refused",
        )
    return _promises(counted, sum(each["calls"] for each in done), count)


def _promises(counted: dict[str, Any], calls: int, count: int) -> list[Promise]:
    if counted["passed"] != count:
        raise AssertionError(f"the gateway passed {counted['passed']} look-ups instead of {count}")
    # The moment of the first call needs no budget, so n calls take n - 1 distances.
    rate = 60 * (counted["passed"] - 1) / (counted["last"] - counted["first"])
    most = f"most in any 60 s: {counted['most']:,}" if count >= PER_MINUTE else "no full minute"
    print(f"  {rate:,.1f} a minute at the gateway, {most}, {calls:,} calls with tokens")
    return [
        Promise(f"budget: share of {PER_MINUTE:,} a minute that is used", rate / PER_MINUTE, 0.97, unit=""),
        Promise("budget: look-ups refused with 429", counted["refused"], 0, at_least=False, unit=""),
    ]


@contextmanager
def limiter(url: str, limit: int, port_file: Path) -> Iterator[str]:
    """Run the gateway and give its URL."""
    command = [sys.executable, str(CLIENTS / "limiter.py"), url, str(limit), str(port_file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=OWN_ENVIRONMENT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the gateway did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)
