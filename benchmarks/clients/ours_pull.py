"""A pull task of ours as Airflow runs it, without Airflow around it; with `"idle": true` a task that imports the same and does nothing.

`scopes` are organizations, pulled one after the other until nothing is due; the budget is asked for every permit and never makes it wait.
"""

import json
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator  # noqa: F401 - what a task's process has loaded
from benchmarks.clients.probe import Probe

import syrve.operators.customers  # noqa: F401


def pull(work: dict[str, Any]) -> dict[str, Any]:
    from syrve.api.bulk import BulkLookup
    from syrve.api.config import SyrveConfig
    from syrve.customers.claims import PullScope
    from syrve.customers.pull import CustomerPull
    from syrve.customers.pull_settings import PullSettings
    from syrve.warehouse.budget import CallBudget
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.dsn import url_from_text
    from syrve.warehouse.runs import Counts, TaskKey

    config = SyrveConfig(
        work["url"],
        "demo-login",
        dialect="cloud",
        max_concurrency=work["concurrency"],
        budgets={"customer": 1_000_000},
    )
    warehouse = Warehouse(url_from_text(work["dsn"]))
    total = Counts()
    budget = CallBudget(warehouse, account="bench", per_minute=config.budgets, bulk=True)
    settings = PullSettings(**work.get("settings", {}))
    with budget, BulkLookup(config, permits=budget) as bulk:
        key = TaskKey("bench", "bench.pull")
        task = CustomerPull(warehouse, bulk, key=key, region=config.default_region, settings=settings)
        for organization_id in work["scopes"]:
            total.add(task.run(PullScope(organization_id)))
    return {"done": total.requested, "found": total.found, "changed": total.changed, "rate_limited": total.rate_limited}


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text())
    with Probe() as probe:
        told = {"done": 0} if work.get("idle") else pull(work)
    probe.report(**told)


if __name__ == "__main__":
    main()
