"""Look-ups without a budget to wait for: tokens, models and the shared budget's bookkeeping included."""

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Client, Result, rates
from benchmarks.peers import python_with
from devstack.postgres import PostgresServer
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate
from syrve_simulator.process import start_simulator

CUSTOMERS = 5_000
ROUNDS = 3
THREADS = (8, 16, 32)
CLIENTS = Path(__file__).parent / "clients"
PEER = "pyiikocloudapi==0.0.32"


def run() -> list[Result]:
    """Measure ours against requests in threads and against pyiikocloudapi in a loop."""
    print(f"Look-ups of {CUSTOMERS:,} customers, one process each, no latency")
    peer_python = python_with(PEER)
    with tempfile.TemporaryDirectory(prefix="syrve-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        server = PostgresServer(home / "postgres", home / "postgres.log", durable=True)
        server.start()
        try:
            server.create_database("warehouse")
            migrate(url_from_text(server.dsn("warehouse")))
            with start_simulator(
                customers=CUSTOMERS, organizations=1, seed=11, dialect="cloud", lookup_log=False
            ) as simulator:
                organization_id = simulator.control.organizations()[0]["organization_id"]
                phones = [customer["phone"] for customer in simulator.control.customers(organization_id)]
                work = home / "work.json"
                told = {"url": simulator.url, "organization_id": organization_id, "phones": phones}
                work.write_text(json.dumps(told | {"dsn": server.dsn("warehouse")}))
                medians = rates(_clients(str(work), peer_python), ROUNDS)
        finally:
            server.stop(grace_seconds=5)
    ours = medians["ours"]
    threaded = max(rate for name, rate in medians.items() if name.startswith("requests"))
    return [
        Result("look-ups: ours to the best threaded requests client", ours / threaded, 4.0),
        Result(f"look-ups: ours to {PEER} in a loop", ours / medians[PEER], 3.0),
    ]


def _clients(work: str, peer_python: str) -> list[Client]:
    environment = dict(os.environ)
    threaded = [
        Client(
            f"requests, {threads} threads",
            [sys.executable, str(CLIENTS / "threaded_requests.py"), work, str(threads)],
            environment,
        )
        for threads in THREADS
    ]
    return [
        Client("ours", [sys.executable, str(CLIENTS / "ours.py"), work], environment),
        *threaded,
        Client(PEER, [peer_python, str(CLIENTS / "pyiiko.py"), work], environment),
    ]
