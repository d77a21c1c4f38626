"""Plans and pushes until nothing is left, in a process of its own that a test may kill: `push_worker.py DSN URL ORGANIZATION_ID`."""

import sys
import time

from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.errors import Transient
from syrve.api.protocol import Backoff
from syrve.approvals.book import ApprovalBook, RunOf
from syrve.crm.apply import ApplyScope, PushApply
from syrve.crm.plan import PlanScope, PushPlanner
from syrve.crm.push_settings import PushSettings
from syrve.crm.verdict import content_of_plan
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.runs import TaskKey

IMPATIENT = Backoff(base_seconds=0.001, cap_seconds=0.01)
SETTINGS = PushSettings(retry_seconds=0.0, settle_seconds=0.0, in_flight_seconds=0.0, batch_size=20)


def main(dsn: str, url: str, organization_id: str) -> None:
    warehouse = Warehouse(url_from_text(dsn))
    config = SyrveConfig(base_url=url, api_login="demo-login", timeout_seconds=0.15, call_deadline_seconds=0.5)
    while True:
        key = TaskKey(f"run-{time.monotonic_ns()}", "push")
        plan = PushPlanner(
            warehouse, key=key, capabilities=dialect_named("reference").capabilities, region="RU", settings=SETTINGS
        ).run(PlanScope((organization_id,)))
        print(plan.summary(), flush=True)
        if plan.size == 0:
            return
        with SyrveClient(config, backoff=IMPATIENT) as client:
            try:
                run, content = RunOf("push", key.run_id), content_of_plan(warehouse, plan.plan_id)
                book = ApprovalBook(warehouse, run)
                book.ask(content)
                book.close(content, "not_needed", reason="test")
                job = PushApply(warehouse, client, key=key, settings=SETTINGS, asked_by=run)
                print(job.run(ApplyScope(plan.plan_id, organization_id)), flush=True)
            except Transient as error:
                print(error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
