"""Planning a push over a CRM where (almost) nothing changed: `python -m benchmarks.crm_plan [ROWS]`.

Promised: under 20 seconds for a million rows that nobody touched. Printed beside it: the first plan, in which every row becomes agreed, and
one with a thousandth of the rows edited.
"""

import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from devstack.postgres import PostgresServer
from syrve.crm.plan import PlanScope, PushPlan, PushPlanner
from syrve.warehouse.database import Warehouse, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate
from syrve.warehouse.runs import TaskKey

ROWS = 1_000_000
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


def main(rows: int = ROWS) -> int:
    """Measure and print; return 0 where the promise is kept."""
    with tempfile.TemporaryDirectory(prefix="syrve-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        server = PostgresServer(home / "postgres", home / "postgres.log", durable=True)
        server.start()
        try:
            server.create_database("warehouse")
            url = url_from_text(server.dsn("warehouse"))
            migrate(url)
            return _measure(Warehouse(url), rows)
        finally:
            server.stop(grace_seconds=5)


def _measure(warehouse: Warehouse, rows: int) -> int:
    with warehouse.transaction("fill") as cursor:
        cursor.execute(FILL, {"organization_id": ORGANIZATION_ID, "rows": rows})
    first, _ = _plan("first plan, every row becomes agreed", warehouse, rows)
    assert first.agreed == rows
    _tidy(warehouse)
    unchanged = []
    for _ in range(3):
        plan, seconds = _plan("nothing changed", warehouse, rows)
        assert plan.considered == 0
        unchanged.append(seconds)
    with warehouse.transaction("edit") as cursor:
        cursor.execute("update crm.customer set name = name || '!' where crm_id %% 1000 = 0", {})
    edited, _ = _plan("a thousandth edited", warehouse, rows)
    assert edited.updates == edited.considered == rows // 1000
    allowed = PROMISED_SECONDS_PER_MILLION * rows / 1_000_000
    print(f"unchanged, median of 3: {sorted(unchanged)[1]:.2f} s for {rows:,} rows (promised: under {allowed:.1f} s)")
    return 0 if sorted(unchanged)[1] < allowed else 1


def _plan(what: str, warehouse: Warehouse, rows: int) -> tuple[PushPlan, float]:
    planner = PushPlanner(warehouse, key=TaskKey("bench", "plan"), dialect="cloud", region="RU")
    started = time.monotonic()
    plan = planner.run(PlanScope((ORGANIZATION_ID,), is_dry_run=True))
    seconds = time.monotonic() - started
    print(f"  {what:<45} {seconds:8.2f} s  {rows / seconds:12,.0f} rows a second", flush=True)
    return plan, seconds


def _tidy(warehouse: Warehouse) -> None:
    """Do what autovacuum does after a first load."""
    with warehouse.connect() as connection:
        connection.autocommit = True
        connection.cursor().execute("vacuum analyze crm.push_state")
        with transaction(connection, "checkpoint") as cursor:
            cursor.execute("checkpoint")


if __name__ == "__main__":
    sys.exit(main(*[int(argument) for argument in sys.argv[1:]]))
