"""Looks every phone up with the project's bulk client, budget in Postgres included."""

import json
import sys
import time
from pathlib import Path

from syrve.api.bulk import BulkLookup
from syrve.api.config import SyrveConfig
from syrve.api.models import Lookup
from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

BATCH_SIZE = 500  # as a pull task works
work = json.loads(Path(sys.argv[1]).read_text())
per_minute = work.get("per_minute", 1_000_000)
config = SyrveConfig(work["url"], "demo-login", dialect="cloud", max_concurrency=64, budgets={"customer": per_minute})
lookups = [Lookup(work["organization_id"], "phone", phone) for phone in work["phones"]]
budget = CallBudget(Warehouse(url_from_text(work["dsn"])), account="bench", per_minute=config.budgets, bulk=True)
started = time.perf_counter()
with budget, BulkLookup(config, permits=budget) as bulk:
    found = 0
    for start in range(0, len(lookups), BATCH_SIZE):
        found += sum(result.customer is not None for result in bulk.look_up(lookups[start : start + BATCH_SIZE]))
    stats = bulk.stats.take()
seconds = time.perf_counter() - started
assert found == len(lookups)
told = {"done": found, "seconds": seconds, "calls": stats.calls, "rate_limited": stats.rate_limited}
print(json.dumps(told))
