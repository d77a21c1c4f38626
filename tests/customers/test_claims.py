"""Claims: no identity goes to two tasks, whatever they do at the same time, and none is forgotten."""

import re
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest

from fixtures.chains import NOT_FOUND, ORGANIZATION, Chain, ScriptedBulk, blocked_by, customer
from fixtures.waiting import PATIENCE_SECONDS, wait_until
from syrve.api.models import Lookup
from syrve.customers.claims import Claimer, PullScope
from syrve.customers.pull import CustomerPull
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.leases import LEASE_CLASS, lease
from syrve.warehouse.runs import TaskKey
from syrve.warehouse.sql_files import sql

FILL = """
insert into sync.roster (organization_id, identity_kind, identity_value, source, checked_at, due_at, active_until, backfill_id, priority)
select %s, 'card', 'c' || number, 'test', {checked},
    now() - interval '2 hours' + number * interval '1 second',
    now() + interval '1 day', 1, number %% 3
from generate_series(0, %s) as number
"""
KNOWN, NEW = (FILL.format(checked=each) for each in ("now() - interval '1 day'", "null"))
MIXED = FILL.format(checked="case when number %% 2 = 0 then now() - interval '1 day' end")
GATE = 77
"""An advisory lock, at which a claim is made to wait in the middle."""


def claim(connection: Connection, number: int, statement: str, limit: int) -> list[str]:
    values = {
        "organization_id": ORGANIZATION,
        "backfill_id": 1,
        "due_before": datetime(2100, 1, 1, tzinfo=UTC),
        "checked_before": datetime(2100, 1, 1, tzinfo=UTC),
        "ahead_seconds": 0,
        "active_grace_seconds": 3600,
        "lease": number,
        "lease_class": LEASE_CLASS,
        "lease_seconds": 900,
        "batch_limit": limit,
    }
    with transaction(connection, "claim") as cursor:
        cursor.execute(statement, values)
        return [value for _, value in cursor.fetchall()]


@pytest.mark.parametrize("name", ["claim", "claim_new", "claim_active", "claim_backfill"])
def test_task_that_begins_while_another_is_claiming_keeps_what_it_claimed(chain: Chain, name: str) -> None:
    """The other has read already which leases are live, and the new one is not among them."""
    chain.execute((NEW if name == "claim_new" else KNOWN).replace("number %% 3", "0"), ORGANIZATION, 9)
    statement = sql(f"roster/{name}.sql")
    gate = rf"\1identity_value = 'c4' and pg_advisory_xact_lock({GATE}) is null or \1lease is null"
    slow, places = re.subn(r"((?:known\.)?)lease is null", gate, statement)
    assert places == 1
    connect = chain.warehouse.connect
    with connect() as first, connect() as claiming, connect() as beginner, connect() as keeper, lease(first) as number:
        assert claim(first, number, statement, 1) == ["c0"]
        with keeper.cursor() as cursor, lease(claiming) as mine, ThreadPoolExecutor(1) as pool:
            cursor.execute("select pg_advisory_xact_lock(%s)", (GATE,))
            under_way = pool.submit(claim, claiming, mine, slow, 100)
            wait_until(partial(blocked_by, chain.warehouse, claiming, keeper))
            with lease(beginner) as new:
                theirs = claim(beginner, new, statement, 100)
                keeper.rollback()
                ours = under_way.result(PATIENCE_SECONDS)

    assert theirs
    assert not set(ours) & set(theirs)
    assert sorted(ours + theirs) == [f"c{number}" for number in range(1, 10)]


def test_threads_that_claim_at_once_share_no_identity_and_forget_none(chain: Chain) -> None:
    chain.execute(MIXED, ORGANIZATION, 999)
    start = threading.Barrier(6)
    scope = PullScope(ORGANIZATION)
    due_before = datetime.now(UTC)

    def work(_: int) -> list[str]:
        mine: list[str] = []
        with chain.warehouse.connect() as connection, lease(connection) as number:
            claimer = Claimer(scope, PullSettings(), lease=number, due_before=due_before)
            start.wait(PATIENCE_SECONDS)
            while found := claimer.claim(connection, 7):
                mine += [each.value for each in found]
            start.wait(PATIENCE_SECONDS)  # a lease that is given back is free: nobody may go before all are done
        return mine

    with ThreadPoolExecutor(6) as pool:
        claimed = Counter(value for mine in pool.map(work, range(6)) for value in mine)

    assert set(claimed.values()) == {1}
    assert len(claimed) == 1000


def test_two_whole_pulls_at_once_look_nobody_up_twice(chain: Chain, warehouse: Warehouse) -> None:
    chain.execute(NEW, ORGANIZATION, 299)
    start = threading.Barrier(2)

    def answer(lookup: Lookup) -> object:
        number = int(lookup.value[1:])
        return customer(number // 3) if number % 5 else NOT_FOUND

    def work(number: int) -> Sequence[Lookup]:
        bulk = ScriptedBulk(answer, lambda: datetime.now(UTC))  # type: ignore[arg-type]
        job = CustomerPull(
            warehouse, bulk, key=TaskKey("run", "pull", number), region="RU", settings=PullSettings(batch_size=20)
        )
        start.wait(PATIENCE_SECONDS)
        job.run(PullScope(ORGANIZATION))
        return bulk.asked

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(work, range(2)))
    asked = Counter(each for mine in both for each in mine)

    assert set(asked.values()) == {1}
    left = chain.value("select count(*) from sync.roster where outcome is null")
    assert len(asked) + left == 300
    assert left < 20, "who is passed over because their customer is being merged waits for the next run"
    assert chain.value("select count(*) from sync.roster where lease is not null") == 0
    assert chain.rows("select sum(requested), sum(found), sum(not_found) from sync.run") == [
        (
            len(asked),
            chain.value("select count(*) from sync.roster where outcome = 'found'"),
            60
            - chain.value(
                "select count(*) from sync.roster where outcome is null and substr(identity_value, 2)::integer %% 5 = 0".replace(
                    "%%", "%"
                )
            ),
        )
    ]
