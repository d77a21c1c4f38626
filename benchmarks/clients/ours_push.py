"""A push of ours as two tasks of Airflow do it, without Airflow around them: plan what the CRM changed, then send that plan."""

import json
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator  # noqa: F401 - what a task's process has loaded
from benchmarks.clients.probe import Probe

import syrve.operators.crm  # noqa: F401


def push(work: dict[str, Any]) -> int:
    from syrve.api.client import SyrveClient
    from syrve.api.config import SyrveConfig
    from syrve.api.dialects import dialect_named
    from syrve.approvals.book import ApprovalBook, RunOf
    from syrve.crm.apply import ApplyScope, PushApply
    from syrve.crm.plan import PlanScope, PushPlanner
    from syrve.crm.push_settings import PushSettings
    from syrve.crm.verdict import content_of_plan
    from syrve.warehouse.database import Warehouse
    from syrve.warehouse.dsn import url_from_text
    from syrve.warehouse.limits import BreakerSettings
    from syrve.warehouse.runs import TaskKey

    warehouse, key = Warehouse(url_from_text(work["dsn"])), TaskKey("bench", "push")
    settings = PushSettings(max_concurrency=work["threads"], breaker=BreakerSettings(share=1.0))
    capabilities = dialect_named("cloud").capabilities
    planner = PushPlanner(warehouse, key=key, capabilities=capabilities, region="RU", settings=settings)
    plan = planner.run(PlanScope((work["organization_id"],)))
    asked_by, content = RunOf("bench", key.run_id), content_of_plan(warehouse, plan.plan_id)
    book = ApprovalBook(warehouse, asked_by)
    book.ask(content)
    book.close(content, "not_needed", reason="benchmark")
    with SyrveClient(SyrveConfig(base_url=work["url"], api_login="demo-login", dialect="cloud")) as client:
        job = PushApply(warehouse, client, key=key, settings=settings, asked_by=asked_by)
        return job.run(ApplyScope(plan.plan_id, work["organization_id"])).changed


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text())
    with Probe() as probe:
        done = push(told)
    probe.report(done=done)
