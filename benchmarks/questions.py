"""The ten questions of docs/questions.md, asked as an analyst of 1 million customers with 5 million versions: seconds at the server."""

import re
import statistics
import time

import psycopg2

from benchmarks.bench_server import bench_server, execute
from benchmarks.measure import ROOT, Promise
from syrve.customers.daily_balance import keep_daily_balance
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

CUSTOMERS, QUICK_CUSTOMERS = 1_000_000, 10_000
ROUNDS = 3
MOST_SECONDS = 2.0
GIVE_UP_MS = 60_000
EVERY_COLUMN = ("6. with every column", "select * from analytics.sync_freshness")
"""A question that names few columns does not show what the others cost."""

FILL = (
    # Rows are made whole here; the guards of the product are tested elsewhere.
    """
    insert into syrve.organization (organization_id, name, time_zone, synced_at, account)
    select md5('o' || n)::uuid, 'Organization ' || n, 'Europe/Moscow', now(), 'a' from generate_series(0, 1) n
    """,
    """
    insert into syrve.customer (organization_id, customer_id, phone, phone_raw, birthday, sex, is_deleted, extra, first_seen_at, changed_at,
        fetched_at, profile_changed_at)
    select md5('o' || i % 2)::uuid, md5('c' || i)::uuid,
        '+7' || 9000000000 + (i - (i % 200 = 3)::int) * 611953::bigint % 1000003, '', '1990-05-17', 'male', i % 50 = 0,
        '{}', now() - interval '500 days', now() - i % 100 * interval '1 day', now(), now() - (100 + i % 300) * interval '1 day'
    from generate_series(1, :customers) i
    """,
    """
    insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, name, type, balance, changed_at, fetched_at)
    select md5('o' || i % 2)::uuid, md5('c' || i)::uuid, md5('w' || kind)::uuid, 'Wallet', kind, i % 9000 / 7.0,
        now() - i % 100 * interval '1 day' - i % 86000 * interval '1 second', now()
    from generate_series(1, :customers) i cross join generate_series(0, 1) kind where kind = 1 or i % 2 = 0
    """,
    """
    insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, name, type, balance, balance_after, valid_from,
        valid_to)
    select organization_id, customer_id, wallet_id, name, type, balance + back, balance + back - 1, changed_at - back * interval '90 days',
        changed_at - (back - 1) * interval '90 days'
    from syrve.wallet_balance cross join generate_series(1, 4) back where type = 1 order by 9
    """,
    """
    insert into syrve.customer_version (organization_id, customer_id, phone, is_deleted, extra, valid_from, valid_to)
    select organization_id, customer_id, phone, false, '{}', first_seen_at, profile_changed_at from syrve.customer
    where profile_changed_at > now() - interval '300 days' order by 7
    """,
    """
    insert into syrve.customer_category (organization_id, customer_id, category_id, name, changed_at)
    select md5('o' || i % 2)::uuid, md5('c' || i)::uuid, md5('k' || kind)::uuid, 'Category ' || kind, now() - 90 * interval '1 day'
    from generate_series(1, :customers) i cross join generate_series(1, 2) kind where kind = 1 or i % 2 = 0
    """,
    """
    insert into syrve.customer_category_version (organization_id, customer_id, category_id, name, valid_from, valid_to)
    select organization_id, customer_id, md5('k9')::uuid, 'Category 9', now() - interval '400 days',
        now() - (get_byte(decode(md5(customer_id::text), 'hex'), 0) + 1) * interval '1 day'
    from syrve.customer where get_byte(decode(md5(customer_id::text), 'hex'), 1) < 85 order by 6
    """,
    """
    insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at, checked_at, confirmed_at, outcome, customer_id,
        changes, exposure_days)
    select organization_id, 'phone', 'r' || row_number() over (), 'bench', now() + interval '1 day',
        now() - interval '3 hours', now(), 'found', customer_id, 1, 100 from syrve.customer
    """,
    """
    insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at)
    select md5('p' || i)::uuid, case i % 3 when 0 then 'topup' when 1 then 'chargeoff' else 'hold' end, md5('o' || i % 2)::uuid,
        md5('c' || i)::uuid, md5('w1')::uuid, 10, 'payment', now() - i % 86400 * interval '30 seconds'
    from generate_series(1, :customers / 10) i
    """,
    """
    insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
    select operation_id, 1, 'confirmed', requested_at, 'report' from wallet.operation
    """,
    """
    insert into wallet.hold (hold_id, organization_id, customer_id, wallet_id, amount, source, observed, state, opened_at, confirmed_at,
        closed_at, closed_by)
    select operation_id, organization_id, customer_id, wallet_id, amount, source, false, 'confirmed', requested_at, requested_at,
        case when n % 10 > 0 then requested_at + interval '1 hour' end, case when n % 10 > 0 then 'cancelled' end
    from (select *, row_number() over (order by operation_id) n from wallet.operation where kind = 'hold') o
    """,
    """
    insert into wallet.finding (rule, subject, organization_id, customer_id, wallet_id, hold_id, amount_at_risk, severity, first_seen_at,
        last_seen_at)
    select 'stale_hold', hold_id::text, organization_id, customer_id, wallet_id, hold_id, amount, 'medium', opened_at, now()
    from wallet.hold
    where closed_at is null and amount > 0 and get_byte(decode(md5(hold_id::text), 'hex'), 0) < 60
    """,
    """
    insert into wallet.finding_version (finding_id, version, as_of, status, severity, reason)
    select finding_id, 1, first_seen_at, 'open', severity, 'opened' from wallet.finding
    """,
    """
    insert into wallet.finding_evaluation (organization_id, as_of, thresholds, first_evaluated_at, evaluated_at)
    select organization_id, at, '{}', at, at
    from syrve.organization cross join generate_series(now() - interval '30 days', now(), interval '1 hour') at
    """,
    """
    insert into sync.reject (run_id, entity, organization_id, identity, stage, reason)
    select 'r', 'customer', md5('o' || i % 2)::uuid, i::text, 'field', 'reason ' || i % 40 from generate_series(1, :customers / 100) i
    """,
    """
    insert into crm.push (plan_id, crm_id, organization_id, step, operation, fields, outcome, run_id, attempted_at)
    select 1, i, md5('o' || i % 2)::uuid, 0, 'create_or_update', '{name}', 'acknowledged', 'r', now() - i % 30 * interval '1 day'
    from generate_series(1, :customers / 10) i
    """,
    """
    insert into syrve.coupon (organization_id, number, series_id, verdict, checked_at)
    select md5('o' || i % 2)::uuid, i::text, md5('s' || i % 50)::uuid, 'valid', now() from generate_series(1, :customers / 20) i
    """,
    """
    insert into syrve.daily_balance (organization_id, day, wallet_type, is_deleted, wallets, customers, balance, as_of, is_final)
    select organization_id, day, kind, is_deleted, 1, 1, 1, day, true from syrve.organization
    cross join generate_series(current_date - 400, current_date - 3, interval '1 day') day
    cross join unnest('{bonus,deposit}'::text[]) kind cross join unnest('{true,false}'::boolean[]) is_deleted
    """,
)


def run(*, quick: bool) -> list[Promise]:
    """Fill a warehouse, ask, and return the median of each question."""
    customers = QUICK_CUSTOMERS if quick else CUSTOMERS
    with bench_server() as here:
        dsn = here.fresh_database("questions", migrated=True)
        started = time.monotonic()
        execute(
            dsn,
            *(f"set session_replication_role = replica; {part.replace(':customers', str(customers))}" for part in FILL),
        )
        execute(dsn, "vacuum (analyze)")
        print(f"  filled {customers:,} customers in {time.monotonic() - started:,.0f} s", flush=True)
        started = time.monotonic()
        days = keep_daily_balance(Warehouse(url_from_text(dsn)))
        print(f"  adding up a day of an organization: {(time.monotonic() - started) / days:.2f} s", flush=True)
        return [_ask(dsn, name, statement) for name, statement in (*_questions(), EVERY_COLUMN)]


def _questions() -> list[tuple[str, str]]:
    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\d+\. [^\n]*)\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    return [
        (name, statement) for name, text in sections for statement in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    ]


def _ask(dsn: str, name: str, statement: str) -> Promise:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    seconds = []
    with connection.cursor() as cursor:
        cursor.execute(f"set role syrve_analyst; set statement_timeout = {GIVE_UP_MS}")
        for _ in range(ROUNDS):
            started = time.monotonic()
            try:
                cursor.execute(statement)
                cursor.fetchall()
            except psycopg2.errors.QueryCanceled:
                pass
            seconds.append(time.monotonic() - started)
    connection.close()
    median = statistics.median(seconds)
    print(f"  {name:<60} {median:6.2f} s", flush=True)
    return Promise(f"question {name}", median, MOST_SECONDS, at_least=False, unit=" s")
