"""Erasing people from a warehouse of 1 million customers: seconds, how long others wait, and what writing costs afterwards."""

import statistics
import threading
import time
from uuid import uuid4

import psycopg2

from benchmarks import questions
from benchmarks.bench_server import BenchServer, bench_server, execute
from benchmarks.measure import Promise

CUSTOMERS, QUICK_CUSTOMERS = 1_000_000, 10_000
ERASURES = 5
ROWS, TIMES = 20_000, 3
MOST_SECONDS = 30.0
MOST_WAIT_SECONDS = 5.0
MOST_EXTRA_MICROSECONDS = 20.0
WITH_IDENTITIES = {
    "(organization_id, customer_id, phone, phone_raw, birthday": "(organization_id, customer_id, email, phone, phone_raw, birthday",
    "md5('c' || i)::uuid,\n        '+7'": "md5('c' || i)::uuid, 'guest' || i || '@example.com',\n        '+7'",
    "'r' || row_number() over ()": "phone",
}
"""What the questions of analysts need not and an erasure looks at: e-mail addresses, and phones on the roster."""
MORE = (
    """
    insert into syrve.card (organization_id, customer_id, card_id, track, number, changed_at)
    select organization_id, customer_id, customer_id, substr(phone, 3) || '77', substr(phone, 3) || '88', now() from syrve.customer
    """,
    """
    insert into syrve.coupon (organization_id, number, series_id, activated_by, verdict, checked_at)
    select organization_id, 'used' || customer_id, customer_id, phone, 'used', now() from syrve.customer limit :customers / 2
    """,
    """
    insert into sync.signal (content_key, organization_id, kind, event_type, channel, customer_id, order_number)
    select sha256(customer_id::text::bytea), organization_id, 'order_open', 'DeliveryOrderUpdate', 'webhook', customer_id, substr(phone, 8)
    from syrve.customer limit :customers / 2
    """,
    """
    insert into crm.customer (organization_id, customer_id, phone, name)
    select organization_id, customer_id, phone, 'Name' from syrve.customer limit :customers / 2
    """,
)
PEOPLE = """
    select mirrored.organization_id::text, mirrored.customer_id::text
    from syrve.customer as mirrored
    where
        not mirrored.is_deleted
        and not exists (
            select from wallet.open_hold as held where held.customer_id = mirrored.customer_id
        )
    order by mirrored.customer_id limit %s
"""
WRITES = {
    "identity": "insert into sync.roster (organization_id, identity_kind, identity_value, source) "
    "select md5('o1')::uuid, 'phone', '+7800' || i, 'bench' from generate_series(1, %s) i",
    "signal": "insert into sync.signal (content_key, organization_id, kind, event_type, channel, phone, order_number) "
    "select sha256(i::text::bytea), md5('o1')::uuid, 'order_open', 'DeliveryOrderUpdate', 'webhook', '+79169' || 100000 + i, i "
    "from generate_series(1, %s) i",
    "customer": "insert into syrve.customer (organization_id, customer_id, phone, is_deleted, extra, first_seen_at, changed_at, "
    "fetched_at, profile_changed_at) select md5('o1')::uuid, md5('n' || i)::uuid, '+7800' || i, false, '{}', now(), now(), now(), now() "
    "from generate_series(1, %s) i",
}
"""Statements that write rows of people who were not erased."""


def run(*, quick: bool) -> list[Promise]:
    """Fill a warehouse, erase people one by one, and return seconds and waits."""
    customers = QUICK_CUSTOMERS if quick else CUSTOMERS
    with bench_server() as here:
        dsn = here.fresh_database("erasure", migrated=True)
        started = time.monotonic()
        for statement in fill(customers):
            execute(dsn, f"set session_replication_role = replica; {statement}")
        execute(dsn, "vacuum (analyze)", "checkpoint")
        print(f"  filled {customers:,} customers in {time.monotonic() - started:,.0f} s", flush=True)
        before = {name: _seconds_per_row(dsn, statement) for name, statement in WRITES.items()}
        promises = _erase(here, dsn)
        for name, statement in WRITES.items():
            extra = 1e6 * (_seconds_per_row(dsn, statement) - before[name])
            print(f"  one {name}: {1e6 * before[name]:.0f} us, and {extra:.0f} us more after erasures", flush=True)
            # A signal holds texts, which are searched.
            limit = MOST_EXTRA_MICROSECONDS * (5 if name == "signal" else 1)
            promises.append(_at_most(f"erasure: more per written {name} afterwards", extra, limit, " us"))
        return [*promises, _returned(dsn)]


def fill(customers: int) -> list[str]:
    """Return the statements that make the rows."""
    text = "\0".join((*questions.FILL, *MORE)).replace(":customers", str(customers))
    for old, new in WITH_IDENTITIES.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.split("\0")


def _erase(here: BenchServer, dsn: str) -> list[Promise]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    seconds, waits = [], []
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, (ERASURES,))
        people = cursor.fetchall()
        for organization_id, customer_id in people:
            cursor.execute(
                "insert into privacy.erasure (dag_id, run_id, organization_id, customer_id, requested_by) "
                "values ('bench', %s, %s, %s, 'bench') returning erasure_id",
                (str(uuid4()), organization_id, customer_id),
            )
            ((erasure_id,),) = cursor.fetchall()
            spent = here.cpu_seconds()
            with Waiter(dsn) as waiter:
                started = time.monotonic()
                cursor.execute(
                    "select privacy.carry_out(asked) from privacy.erasure as asked where asked.erasure_id = %s",
                    (erasure_id,),
                )
                seconds.append(time.monotonic() - started)
            waits.append(waiter.longest)
            print(
                f"  erased in {seconds[-1]:.2f} s ({here.cpu_seconds() - spent:.2f} s of the server's processors); others waited "
                f"{waits[-1]:.2f} s",
                flush=True,
            )
    connection.close()
    return [
        _at_most("erasure: one person", statistics.median(seconds), MOST_SECONDS, " s"),
        _at_most("erasure: longest wait of another session", max(waits), MOST_WAIT_SECONDS, " s"),
    ]


class Waiter:
    """A session that asks who was erased as all writers do, without a pause, and keeps its longest wait."""

    def __init__(self, dsn: str) -> None:
        self.longest = 0.0
        self._dsn = dsn
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Waiter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._over.wait(0.02):
                started = time.monotonic()
                cursor.execute("select privacy.is_erased(gen_random_uuid(), 'phone', '+79160000000')")
                self.longest = max(self.longest, time.monotonic() - started)
        connection.close()


def _seconds_per_row(dsn: str, statement: str) -> float:
    connection = psycopg2.connect(dsn)
    seconds = []
    with connection.cursor() as cursor:
        for _ in range(TIMES):
            started = time.monotonic()
            cursor.execute(statement.replace("%s", str(ROWS)))
            seconds.append(time.monotonic() - started)
            connection.rollback()
    connection.close()
    return min(seconds) / ROWS


def _returned(dsn: str) -> Promise:
    started = time.monotonic()
    execute(dsn, "select * from privacy.returned()")
    return _at_most("erasure: look for people who came back", time.monotonic() - started, MOST_SECONDS, " s")


def _at_most(name: str, measured: float, promised: float, unit: str) -> Promise:
    return Promise(name, measured, promised, at_least=False, unit=unit)
