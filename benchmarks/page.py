"""The views of the Syrve page over 1 million customers and 10 million operations: seconds at the server of what each view reads.

A view is measured by the statements of `sql/ui` that it runs, in one read-only snapshot and with the rights of the DAGs, as the page does;
its HTML takes some milliseconds more. Rows per kind are named where the benchmark prints them.
"""

import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg2

from benchmarks import questions
from benchmarks.bench_server import bench_server, execute
from benchmarks.measure import Promise
from syrve.customers.pull_settings import PullSettings
from syrve.customers.refit import read_accounts
from syrve.customers.what_if import CALLS_PER_DAY, outlooks
from syrve.reports.run_words import COUNT_OTHER_THINGS
from syrve.ui.store import READ_TIMEOUT_MS, Reading
from syrve.ui.views.freshness import FACTORS, SAMPLE_IDENTITIES
from syrve.warehouse.database import Cursor

CUSTOMERS, QUICK_CUSTOMERS = 1_000_000, 10_000
OPERATIONS_PER_CUSTOMER = 10
logging.getLogger("yoyo").setLevel(logging.WARNING)  # importing Airflow turns its steps on
ROUNDS = 5
MOST_SECONDS = 0.3
TENTH_OF_THE_CUSTOMERS = "generate_series(1, :customers / 10) i"
MORE = (
    """
    insert into sync.run (run_id, task, map_index, requested, found, changed, calls, updated_at)
    select 'r' || i / 4, 'syrve_customers.pull', i % 4, 500, 490, 10, 500, now() - i * interval '2 minutes'
    from generate_series(1, :customers / 10) i
    """,
    """
    insert into crm.push_plan_summary (
        plan_id, planned_at, run_id, is_dry_run, fields, considered, creates, updates, memberships, conflicts, asking, refused, waiting,
        agreed
    )
    select i, now() - i * interval '1 hour', 'r' || i, true, '{}', 9, 9, 9, 9, 9, 9, 9, 9, 9 from generate_series(1, 1000) i
    """,
    """
    insert into crm.push_plan (plan_id, crm_id, organization_id, action, changes, edited_at, agreed_version)
    select 1000 - i % 20, i, md5('o' || i % 2)::uuid, 'update', '{"name": {"from": "a", "to": "b"}}', now(), 1
    from generate_series(1, :customers / 10) i
    """,
    """
    insert into sync.audit (user_id, user_name, action) select '1', 'ops', 'resolve rejects' from generate_series(1, :customers / 10)
    """,
)


def run(*, quick: bool) -> list[Promise]:
    """Fill a warehouse and return the median of each view."""
    customers = QUICK_CUSTOMERS if quick else CUSTOMERS
    with bench_server() as here:
        dsn = here.fresh_database("page", migrated=True)
        started = time.monotonic()
        execute(dsn, *(f"set session_replication_role = replica; {part}" for part in fill(customers)))
        execute(dsn, "vacuum (analyze)")
        _freshness_kept(dsn)
        print(
            f"  filled {customers:,} customers, {customers * OPERATIONS_PER_CUSTOMER:,} operations in "
            f"{time.monotonic() - started:,.0f} s",
            flush=True,
        )
        return [_measure(dsn, name, view) for name, view in VIEWS.items()]


def fill(customers: int) -> list[str]:
    """Return the statements that make the rows."""
    operations = f"generate_series(1, {customers * OPERATIONS_PER_CUSTOMER}) i"
    found = []
    for part in (*questions.FILL, *MORE):
        more = part.replace(TENTH_OF_THE_CUSTOMERS, operations) if "insert into wallet.operation (" in part else part
        found.append(more.replace(":customers", str(customers)))
    return found


def _freshness_kept(dsn: str) -> None:
    columns = (
        "organization_id, identities, found, not_found, rejected, failed, never_checked, overdue, fresher_than_1h, fresher_than_24h, "
        "fresher_than_7d, interval_up_to_1h, interval_up_to_1d, interval_up_to_7d, interval_up_to_30d, interval_over_30d, oldest"
    )
    execute(
        dsn,
        f"insert into sync.freshness_kept (counted_at, {columns}) select now(), {columns} from analytics.sync_freshness",
    )


def _overview(read: Reading, _: Cursor) -> None:
    read.row("overview", most_counted=10_000)
    for name in ("freshness", "organizations", "calls", "budgets"):
        read.rows(name)
    read.rows("alerts", most=20)
    read.rows("run_counts", run_ids=[f"r{number}" for number in range(16)])


def _inbox(read: Reading, _: Cursor) -> None:
    for name in ("approvals", "conflicts", "blocked", "breakers", "unsettled", "findings", "rejects"):
        read.rows(f"waiting_{name}", most=50, clear=False)
    read.rows("alerts", most=50)


def _rejects(read: Reading, _: Cursor) -> None:
    read.rows("rejects_by_reason", most=20_000)
    read.rows(
        "rejects", entity=None, stage=None, run_id=None, reason_key=None, most=200, most_searched=20_000, clear=False
    )
    read.rows("organizations")


def _push(read: Reading, _: Cursor) -> None:
    plans = read.rows("plans")
    read.rows("plan_rows", plan_id=plans[0]["plan_id"], state=None, organization_id=None, field=None, most=200)
    read.rows("field_policies")
    read.rows("organizations")


def _holds(read: Reading, _: Cursor) -> None:
    read.rows("findings_by_rule", most=10_000)
    newest = read.rows("findings", most=100)
    read.rows("evaluations")
    read.rows("days_not_evaluated")
    read.rows("finding", finding_id=newest[0]["finding_id"])
    read.rows("finding_story", finding_id=newest[0]["finding_id"])


def _backfill(read: Reading, _: Cursor) -> None:
    read.rows("backfills", most_left=100_000)
    read.rows("organizations")


def _freshness(read: Reading, cursor: Cursor) -> None:
    read.rows("freshness")
    read.rows("policies")
    read.rows("signals")
    accounts = read_accounts(cursor, PullSettings(), take_evidence=False, sample_identities=SAMPLE_IDENTITIES)
    for account in accounts.values():
        outlooks(account, [account.calls_per_day / CALLS_PER_DAY * factor for factor in FACTORS])


def _runs(read: Reading, _: Cursor) -> None:
    read.rows("runs_by_day", not_looking_up=list(COUNT_OTHER_THINGS))
    read.rows("runs")


def _customer(read: Reading, cursor: Cursor) -> None:
    cursor.execute("select md5('c7')::uuid::text")
    row = cursor.fetchone()
    assert row is not None
    (found,) = read.rows("customer", customer_id=row[0], phone=None, clear=False)
    read.rows("customer_timeline", organization_id=found["organization_id"], customer_id=found["customer_id"], most=50)


VIEWS: dict[str, Callable[[Reading, Cursor], None]] = {
    "overview": _overview,
    "inbox": _inbox,
    "rejects": _rejects,
    "push": _push,
    "holds": _holds,
    "backfill": _backfill,
    "freshness": _freshness,
    "runs": _runs,
    "customer": _customer,
}


def _measure(dsn: str, name: str, view: Callable[[Reading, Cursor], None]) -> Promise:
    seconds: list[float] = []
    for _ in range(ROUNDS):
        connection: Any = psycopg2.connect(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set role syrve_loader; set statement_timeout = {READ_TIMEOUT_MS}")
            started = time.monotonic()
            view(Reading(cursor), cursor)
            seconds.append(time.monotonic() - started)
        connection.close()
    median = statistics.median(seconds)
    print(f"  {name:<12} {1000 * median:6.0f} ms", flush=True)
    return Promise(f"page: {name}", median, MOST_SECONDS, at_least=False, unit=" s")
