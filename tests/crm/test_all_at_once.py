"""Pull, push, plan, force, imports and decisions at the same time, over the same customers: none waits for another in a circle."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from fixtures.pushes import Pushing
from fixtures.waiting import wait_until
from syrve.crm.imports import CrmImport
from syrve.customers.backfill import Backfill, BackfillChoice
from syrve.customers.plan import plan_pull
from syrve.warehouse.sql_files import sql

PEOPLE, ROUNDS = 60, 4
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
OPEN_TRANSACTIONS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and (xact_start is not null or state like 'idle in transaction%%')
"""
IDENTITIES = "select identity_kind, identity_value from sync.roster order by random()"


class Crowd:
    """Jobs over one set of customers, each of whom the roster knows by id, phone and card."""

    def __init__(self, pushing: Pushing) -> None:
        self.pushing = pushing
        self.people = pushing.people(PEOPLE)
        pushing.add(id=[each["customer_id"] for each in self.people])
        pushing.add(phone=[each["phone"] for each in self.people])
        pushing.pull()
        pushing.add(card=[track for (track,) in pushing.rows("select track from syrve.card")])
        for person in self.people:
            pushing.set_desired_of(person, name="Н0", receives_promo=False)
        pushing.push()

    def force(self, _: int) -> None:
        self._plan_pull(force=True)

    def pull(self, number: int) -> None:
        self._statement("roster/force.sql", organization_ids=[self.pushing.organization_id])
        self.pushing.pull(batch_size=20 + 10 * number)

    def push(self, number: int) -> None:
        self.pushing.execute(
            "update crm.customer set name = %s where crm_id in (select crm_id from crm.customer order by crm_id for update)",
            f"Н{number}",
        )
        self.pushing.push()

    def plan(self, _: int) -> None:
        self.pushing.plan()

    def make_due(self, _: int) -> None:
        everybody = [each["customer_id"] for each in reversed(self.people)]
        self._statement(
            "roster/make_due.sql",
            organization_id=self.pushing.organization_id,
            customer_ids=everybody,
            active_for_seconds=1,
        )

    def import_roster(self, number: int) -> None:
        shuffled = self.pushing.rows(IDENTITIES)
        for kind in ("id", "phone", "card"):
            values = [value for known, value in shuffled if known == kind]
            self.pushing.add(**{kind: values, "priority": [number] * len(values)})

    def import_desired_states(self, number: int) -> None:
        phones = [value for kind, value in self.pushing.rows(IDENTITIES) if kind == "phone"]
        rows = [{"phone": phone, "surname": f"Ф{number}"} for phone in phones]
        job = CrmImport(
            self.pushing.warehouse,
            key=self.pushing.key("import"),
            region="RU",
            organization_id=self.pushing.organization_id,
        )
        job.run(rows)

    def backfill(self, _: int) -> None:
        mine = [self.pushing.organization_id]
        choice = BackfillChoice(organization_ids=mine, visible=mine, force=True)
        plan = Backfill(self.pushing.warehouse, choice, key=self.pushing.key("fill"), region="RU").plan(
            shard_size=100, max_shards=1
        )
        assert plan.backfill_id is not None
        self.pushing.pull_backfill(plan.backfill_id)

    @property
    def jobs(self) -> list[Callable[[int], None]]:
        return [
            self.force,
            self.pull,
            self.pull,
            self.push,
            self.plan,
            self.make_due,
            self.import_roster,
            self.import_desired_states,
            self.backfill,
        ]

    def _plan_pull(self, *, force: bool) -> None:
        plan_pull(
            self.pushing.warehouse,
            visible=[self.pushing.organization_id],
            wanted=[],
            force=force,
            shard_size=50,
            max_shards=2,
            limit=None,
        )

    def _statement(self, name: str, **values: Any) -> None:
        with self.pushing.warehouse.transaction("test") as cursor:
            cursor.execute(sql(name), values)


@pytest.mark.slow
def test_everything_at_once_ends_without_a_deadlock(pushing: Pushing) -> None:
    crowd = Crowd(pushing)
    before = pushing.value(DEADLOCKS)
    start, done = Barrier(len(crowd.jobs)), Counter[str]()

    def work(job: Callable[[int], None]) -> None:
        start.wait(timeout=60)
        for number in range(1, ROUNDS + 1):
            job(number)
            done[job.__name__] += 1

    with ThreadPoolExecutor(len(crowd.jobs)) as pool:
        for each in [pool.submit(work, job) for job in crowd.jobs]:
            each.result(timeout=240)

    assert done == Counter(
        {"pull": 2 * ROUNDS} | {job.__name__: ROUNDS for job in crowd.jobs if job.__name__ != "pull"}
    )
    wait_until(lambda: pushing.value(OPEN_TRANSACTIONS) == 0)
    assert pushing.value(DEADLOCKS) == before
    assert pushing.value("select count(*) from sync.roster where lease is not null") == 0


def test_statistics_of_postgres_would_show_a_deadlock(pushing: Pushing) -> None:
    """What the test above asserts can fail: two transactions that lock two rows crosswise are counted."""
    pushing.add(id=[each["customer_id"] for each in pushing.people(2)])
    first, second = [value for (value,) in pushing.rows("select identity_value from sync.roster order by 1")]
    before, both = pushing.value(DEADLOCKS), Barrier(2)

    def lock(one: str, other: str) -> str:
        try:
            with pushing.warehouse.transaction("test") as cursor:
                cursor.execute("select from sync.roster where identity_value = %s for update", [one])
                both.wait(timeout=60)
                cursor.execute("select from sync.roster where identity_value = %s for update", [other])
        except Exception as error:  # noqa: BLE001  whichever class the driver's error became
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lock, (first, second), (second, first)))

    assert sum("40P01" in each for each in outcomes) == 1
    wait_until(lambda: pushing.value(DEADLOCKS) == before + 1)
