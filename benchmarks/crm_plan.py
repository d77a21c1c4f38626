"""Planning a push over a million customers of a CRM of whom (almost) none changed.

Promised: under 20 seconds for a million rows that nobody touched. Printed beside it: the first plan, in which every row becomes agreed, and
one with a thousandth of the rows edited.
"""

import statistics
import time
from uuid import UUID

from benchmarks.bench_server import bench_server
from benchmarks.measure import Promise
from syrve.api.dialects import dialect_named
from syrve.crm.plan import PlanScope, PushPlan, PushPlanner
from syrve.crm.push_settings import PushSettings
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.limits import BreakerSettings
from syrve.warehouse.runs import TaskKey

FULL, QUICK = 1_000_000, 5_000
ROUNDS = 3
UNASKED = PushSettings(breaker=BreakerSettings(share=1.0))
"""Every customer changes here, and that is meant."""
PROMISED_SECONDS_PER_MILLION = 20.0
ORGANIZATION_ID = str(UUID(int=0x5F4E0005_0000_4000_8000_000000000001))
FILL = """
insert into syrve.customer (
    organization_id, customer_id, phone, phone_raw, email, name, surname, birthday, sex, receives_promo, is_deleted, extra, digest,
    first_seen_at, changed_at, profile_changed_at, fetched_at
)
select
    %(organization_id)s, md5(n::text)::uuid, '+7975' || lpad(n::text, 7, '0'), '+7975' || lpad(n::text, 7, '0'),
    'guest' || n || '@example.com', 'Name ' || n, 'Surname ' || n, date '1980-01-01' + (n %% 9000)::integer, 'female', n %% 2 = 0, false,
    '{}', '\\x00', now(), now(), now(), now()
from generate_series(1, %(rows)s) as numbers (n);

insert into crm.customer (organization_id, customer_id, phone, email, name, surname, birthday, sex, receives_promo)
select organization_id, customer_id, phone, email, name, surname, birthday, sex, receives_promo
from syrve.customer order by phone;

analyze syrve.customer;
analyze crm.customer
"""


def run(*, quick: bool) -> list[Promise]:
    """Plan over a CRM of which nothing, everything and a thousandth is new, and return the promise's check."""
    rows = QUICK if quick else FULL
    with bench_server() as here:
        warehouse = Warehouse(url_from_text(here.fresh_database("crm_plan", migrated=True)))
        with warehouse.transaction("fill") as cursor:
            cursor.execute(FILL, {"organization_id": ORGANIZATION_ID, "rows": rows})
        first, _ = _plan("first plan, every row becomes agreed", warehouse, rows)
        if (first.agreed, first.size) != (rows, 0):
            raise AssertionError(f"the first plan should have agreed on everything: {first}")
        _tidy(warehouse)
        unchanged = []
        for _ in range(ROUNDS):
            plan, seconds = _plan("nothing changed", warehouse, rows)
            if plan.considered:
                raise AssertionError(f"nothing had changed, yet {plan.considered} rows were looked at")
            unchanged.append(seconds)
        with warehouse.transaction("edit") as cursor:
            cursor.execute("update crm.customer set name = name || '!' where crm_id %% 1000 = 0", {})
        edited, _ = _plan("a thousandth edited", warehouse, rows)
        if (edited.updates, edited.considered) != (rows // 1000, rows // 1000):
            raise AssertionError(f"a thousandth had changed, and the plan says {edited}")
    per_million = statistics.median(unchanged) * 1_000_000 / rows
    return [
        Promise(
            "crm_plan, a plan over a million rows that nobody touched",
            per_million,
            PROMISED_SECONDS_PER_MILLION,
            at_least=False,
            unit=" s",
        )
    ]


def _plan(what: str, warehouse: Warehouse, rows: int) -> tuple[PushPlan, float]:
    planner = PushPlanner(
        warehouse,
        key=TaskKey("bench", "plan"),
        capabilities=dialect_named("cloud").capabilities,
        region="RU",
        settings=UNASKED,
    )
    started = time.monotonic()
    plan = planner.run(PlanScope((ORGANIZATION_ID,), is_dry_run=True))
    seconds = time.monotonic() - started
    print(f"  {what:<45} {seconds:8.2f} s  {rows / seconds:12,.0f} rows a second", flush=True)
    return plan, seconds


def _tidy(warehouse: Warehouse) -> None:
    """Do what autovacuum does after a first load."""
    with warehouse.connect() as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("vacuum analyze crm.push_state")
            cursor.execute("checkpoint")
