"""Merges the customers with dlt: nested dicts in, a parent and three child tables out."""

import json
import sys
from pathlib import Path

from benchmarks.clients import dlt_pipeline
from benchmarks.clients.probe import Probe
from benchmarks.population import customers

work = json.loads(Path(sys.argv[1]).read_text())
settings = json.loads(sys.argv[2])
dlt_pipeline.configure(settings)
import dlt  # noqa: E402, F401 - importing is not part of the work

PAGE = 5_000
data = list(customers(work["count"], work["seed"], **work["load"]))
for customer in data:
    for wallet in customer["wallets"]:
        wallet["balance"] = float(wallet["balance"])  # as a JSON answer is parsed, and fastest for dlt
with Probe() as probe:
    pages = (data[start : start + PAGE] for start in range(0, len(data), PAGE))
    dlt_pipeline.run(
        dlt_pipeline.customers_resource(lambda: pages, settings, ("organization_id", "customer_id")), settings, work
    )
probe.report(done=len(data))
