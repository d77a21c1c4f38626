"""Applying a plan to a Syrve that takes 50 ms to answer: one customer at a time, and as a task does it.

A row costs a call and six commits; threads wait for the calls of others. Promised: a task is five times as fast as one thread.
"""

from psycopg2.extras import execute_values

from benchmarks.bench_server import BenchServer, bench_server
from benchmarks.measure import Promise
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
from syrve_simulator.process import SimulatorProcess, start_simulator

FULL, QUICK = 800, 20
LATENCY_MS = 50
UNASKED = PushSettings(breaker=BreakerSettings(share=1.0))
"""Every customer changes here, and that is meant."""
FILL = """
insert into syrve.customer (
    organization_id, customer_id, phone, name, is_deleted, extra, digest, first_seen_at, changed_at, profile_changed_at, fetched_at
) select *, 'Was', false, '{}', '\\x00', now(), now(), now(), now() from staging;
insert into crm.customer (organization_id, customer_id, name) select organization_id, customer_id, 'New' from staging
"""


def run(*, quick: bool) -> list[Promise]:
    """Send the same edits one at a time and as a task does, and return how the speeds compare."""
    rows = QUICK if quick else FULL
    usual = PushSettings().max_concurrency
    with bench_server() as here, start_simulator(customers=rows, organizations=1, seed=3) as simulator:
        alone, together = (_customers_per_second(here, simulator, rows, number) for number in (1, usual))
    return [Promise(f"crm_apply, {usual} customers at once to one, at {LATENCY_MS} ms a call", together / alone, 5.0)]


def _customers_per_second(here: BenchServer, simulator: SimulatorProcess, rows: int, max_concurrency: int) -> float:
    warehouse = Warehouse(url_from_text(here.fresh_database("crm_apply", migrated=True)))
    control, key = simulator.control, TaskKey("bench", "apply")
    control.reset_switches()
    [organization] = control.organizations()
    people = [
        (each["organization_id"], each["customer_id"], each["phone"])
        for each in control.customers(organization["organization_id"])
    ]
    with warehouse.transaction("fill") as cursor:
        cursor.execute("create temporary table staging (organization_id uuid, customer_id uuid, phone text)")
        execute_values(cursor, "insert into staging values %s", people[:rows])
        cursor.execute(FILL)
    scope = ApplyScope(
        PushPlanner(
            warehouse, key=key, capabilities=dialect_named("reference").capabilities, region="RU", settings=UNASKED
        )
        .run(PlanScope((organization["organization_id"],)))
        .plan_id,
        organization["organization_id"],
    )
    control.set_switches(latency_ms=LATENCY_MS)
    with SyrveClient(SyrveConfig(base_url=simulator.url, api_login="demo-login")) as client:
        settings = PushSettings(max_concurrency=max_concurrency)
        asked_by, content = RunOf("bench", key.run_id), content_of_plan(warehouse, scope.plan_id)
        book = ApprovalBook(warehouse, asked_by)
        book.ask(content)
        book.close(content, "not_needed", reason="benchmark")
        counts = PushApply(warehouse, client, key=key, settings=settings, asked_by=asked_by).run(scope)
    if counts.changed != rows:
        raise AssertionError(f"{counts.changed} of {rows} customers were pushed")
    print(
        f"  {max_concurrency:>3} at once {counts.seconds:8.2f} s  {rows / counts.seconds:8.1f} customers a second",
        flush=True,
    )
    return rows / counts.seconds
