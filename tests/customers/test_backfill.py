"""A backfill chooses identities, looks each of them up once, and loses none, whatever happens beside it or to it."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg2
import pytest

from fixtures.pulls import IMPATIENT, Syncing
from syrve.api.bulk import BulkLookup
from syrve.customers import backfill as backfill_module
from syrve.customers.backfill import Backfill, BackfillChoice, BackfillPlan, finish_backfill, read_progress
from syrve.customers.claims import PullScope
from syrve.customers.pull import CustomerPull, PullIncomplete, PullPoint
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable
from syrve.warehouse.runs import Counts, TaskKey
from syrve_simulator.control import RawAnswer

UNSEEN = "5f4e0006-0000-4000-8000-000000000009"
KEPT_TABLES = """
select format('%I.%I', schemaname, tablename)
from pg_tables
where schemaname in ('syrve', 'sync', 'crm') and tablename <> 'call_budget'
order by 1
"""
BREAK_THE_SECOND_STEP = """
create function sync.break_off() returns trigger language plpgsql as $$
begin
    raise 'the second step breaks off';
end $$;
create trigger break_off before update on sync.backfill for each row
when (old.requested > 0 and new.requested > old.requested) execute function sync.break_off();
"""


class Killed(BaseException):
    """What a worker is sent."""


class Filling:
    """Plans and pulls backfills of one organization."""

    def __init__(self, syncing: Syncing) -> None:
        self.syncing = syncing
        self.visible = [each["organization_id"] for each in syncing.simulator.control.organizations()]

    def backfill(self, run_id: str = "fill", **choice: Any) -> Backfill:
        wanted = choice.pop("organization_ids", [self.syncing.organization_id])
        made = BackfillChoice(organization_ids=wanted, visible=self.visible, **choice)
        return Backfill(self.syncing.warehouse, made, key=TaskKey(run_id, "dag.plan"), region="RU")

    def plan(self, run_id: str = "fill", **choice: Any) -> BackfillPlan:
        return self.backfill(run_id, **choice).plan(shard_size=100, max_shards=4)

    def pull(self, plan: BackfillPlan, run_id: str = "fill", on_point: Any = None, **settings: Any) -> Counts:
        config = settings.pop("config", self.syncing.config)
        with BulkLookup(config, backoff=IMPATIENT) as bulk:
            job = CustomerPull(
                self.syncing.warehouse,
                bulk,
                key=TaskKey(run_id, "dag.pull"),
                region="RU",
                settings=replace(self.syncing.settings, **settings),
                on_point=on_point,
            )
            return job.run(PullScope(self.syncing.organization_id, backfill_id=plan.backfill_id))

    def looked_up(self) -> Counter[str]:
        return Counter({each["value"]: each["count"] for each in self.syncing.simulator.control.lookups()})

    def left(self) -> int:
        found: int = self.syncing.value("select count(*) from sync.roster where backfill_id is not null")
        return found


@pytest.fixture
def filling(syncing: Syncing) -> Filling:
    return Filling(syncing)


def rows(*values: dict[str, Any]) -> list[pd.DataFrame]:
    return [pd.DataFrame(values, dtype="object")]


def phones(filling: Filling, count: int) -> list[str]:
    """Put customers on the roster by phone, looked up lately and not due, and return their phones."""
    found = [each["phone"] for each in filling.syncing.customers(count)]
    filling.syncing.add(phone=found)
    filling.syncing.execute(
        "update sync.roster set checked_at = now() - interval '1 hour', outcome = 'found', due_at = now() + interval '1 day'"
    )
    return found


def test_roster_without_an_answer_since_then_is_chosen_due_or_not(filling: Filling) -> None:
    _, old, never = phones(filling, 3)
    for phone, at in ((old, "now() - interval '9 days'"), (never, "null")):
        filling.syncing.execute(f"update sync.roster set checked_at = {at} where identity_value = %s", phone)

    plan = filling.plan(not_refreshed_since=datetime.now(UTC) - timedelta(days=7))
    counts = filling.pull(plan)

    assert (plan.total, counts.requested, counts.found) == (2, 2, 2)
    assert filling.looked_up() == Counter([old, never])
    assert filling.syncing.rows("select requested from sync.backfill") == [(2,)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, 1),
        ({"force": True}, 3),
        ({"not_refreshed_since": datetime(2100, 1, 1, tzinfo=UTC)}, 3),
        ({"not_refreshed_since": datetime(2000, 1, 1, tzinfo=UTC), "force": True}, 3),
        ({"not_refreshed_since": datetime(2000, 1, 1, tzinfo=UTC)}, 1),
    ],
)
def test_roster_is_chosen_whole_by_force_only(filling: Filling, choice: dict[str, Any], expected: int) -> None:
    never = phones(filling, 3)[0]
    filling.syncing.execute("update sync.roster set checked_at = null where identity_value = %s", never)

    assert filling.backfill(**choice).estimate().total == expected
    assert filling.plan(**choice).total == expected


def test_named_identities_are_chosen_and_unknown_ones_join_the_roster(filling: Filling) -> None:
    phone = phones(filling, 1)[0]
    other = filling.syncing.customers(2)[1]
    named = rows({"phone": phone}, {"id": other["customer_id"]}, {"phone": phone, "id": None})

    estimate = filling.backfill(frames=named, source="file").estimate()
    plan = filling.plan(frames=named, source="file")
    counts = filling.pull(plan)

    assert estimate.total == plan.total == counts.found == 2
    assert filling.syncing.rows("select identity_kind, source from sync.roster order by source") == [
        ("id", "backfill"),
        ("phone", "test"),
    ]
    assert (plan.named.rows, plan.named.usable, plan.named.added, plan.named.rejected) == (3, 3, 1, 0)


def test_named_ones_are_narrowed_by_their_last_answer_unless_forced(filling: Filling) -> None:
    named = rows(*({"phone": phone} for phone in phones(filling, 3)))
    yesterday = datetime.now(UTC) - timedelta(days=1)

    assert filling.backfill(frames=named, not_refreshed_since=yesterday).estimate().total == 0
    assert filling.backfill(frames=named, not_refreshed_since=yesterday, force=True).estimate().total == 3
    assert filling.plan("narrow", frames=named, not_refreshed_since=yesterday).total == 0
    assert filling.plan("forced", frames=named, not_refreshed_since=yesterday, force=True).total == 3


def test_customer_known_under_a_phone_and_named_by_id_is_looked_up_once(filling: Filling) -> None:
    customer = filling.syncing.customers(1)[0]
    filling.syncing.add(phone=[customer["phone"]])
    filling.syncing.pull()
    filling.syncing.simulator.control.reset_calls()
    named = rows({"id": customer["customer_id"]})

    assert filling.backfill(frames=named).estimate().total == 1
    filling.pull(filling.plan(frames=named))

    assert filling.looked_up() == Counter([customer["phone"]])
    assert filling.syncing.value("select count(*) from sync.roster") == 1


def test_rows_that_give_no_identity_are_rejects_and_those_of_other_organizations_are_not(filling: Filling) -> None:
    own, other = filling.visible
    named = rows(
        {"organization_id": own, "phone": "+79750000001"},
        {"organization_id": other, "phone": "+79750000002"},
        {"organization_id": UNSEEN, "phone": "8 975 000-00-03"},
        {"organization_id": own, "phone": "call me"},
    )

    plan = filling.plan(frames=named, source="query")

    assert (plan.lookups, plan.named.elsewhere, plan.named.rejected) == ({own: 1}, 1, 2)
    found = filling.syncing.rows("select stage, identity, reason from sync.reject order by reason")
    assert found == [
        ("import", "phone 8 975 000-00-03", "organization_id is none that the api login sees"),
        ("import", "phone call me", "phone is no possible number in region RU"),
    ]
    assert filling.syncing.rows("select identity_value from sync.roster") == [("+79750000001",)]
    assert filling.syncing.rows("select task, requested, changed, rejected from sync.run") == [("dag.plan", 3, 1, 2)]


def test_what_was_asked_for_is_kept_without_an_identity(filling: Filling) -> None:
    since = datetime(2026, 9, 1, tzinfo=UTC)
    named = rows({"phone": "+79750000001"}, {"card": "A1"})

    filling.plan(frames=named, source="file", not_refreshed_since=since, cap_per_minute=30)

    criteria, cap, planned = filling.syncing.rows(
        "select criteria, calls_per_minute, planned_at is not null from sync.backfill"
    )[0]
    assert (cap, planned) == (30, True)
    assert criteria == {
        "source": "file",
        "organization_ids": [filling.syncing.organization_id],
        "not_refreshed_since": "2026-09-01T00:00:00+00:00",
        "force": False,
        "named": 2,
    }


def all_rows(syncing: Syncing) -> dict[str, list[Any]]:
    tables = [each[0] for each in syncing.rows(KEPT_TABLES)]
    return {table: syncing.rows(f"select xmin::text, ctid::text from {table} order by 1, 2") for table in tables}


def test_dry_run_leaves_not_a_row_changed(filling: Filling) -> None:
    phones(filling, 20)
    before = all_rows(filling.syncing)
    named = rows({"phone": "+79750000001"}, {"phone": "nobody"}, {"organization_id": UNSEEN, "phone": "+79750000002"})

    whole = filling.backfill(force=True, organization_ids=filling.visible).estimate()
    some = filling.backfill(frames=named).estimate()

    assert (whole.total, whole.backfill_id, whole.shards) == (20, None, [])
    assert (some.total, some.named.rejected, some.named.usable) == (1, 2, 1)
    assert all_rows(filling.syncing) == before
    assert before["sync.roster"]


def test_estimate_is_what_the_plan_then_chooses(filling: Filling) -> None:
    known = phones(filling, 30)
    frames = [
        pd.DataFrame({"phone": part}, dtype="object")
        for part in (known[:10], known[5:15], ["+79750000001"], ["89750000001"])
    ]

    estimate = filling.backfill(frames=frames).estimate()

    assert estimate.total == filling.plan(frames=frames).total == 16


def test_shards_carry_the_backfill_and_share_it_out(filling: Filling) -> None:
    phones(filling, 150)

    plan = filling.plan(force=True)

    assert [each["expected"] for each in plan.shards] == [75, 75]
    assert {each["backfill_id"] for each in plan.shards} == {plan.backfill_id}
    with ThreadPoolExecutor(2) as tasks:
        done = list(tasks.map(lambda _: filling.pull(plan), plan.shards))
    assert sum(each.requested for each in done) == 150
    assert max(filling.looked_up().values()) == 1


def test_killed_pull_goes_on_with_what_is_left_and_a_plan_made_again_chooses_nothing_anew(filling: Filling) -> None:
    everybody = phones(filling, 120)
    plan = filling.plan(force=True)
    points: list[PullPoint] = []

    def kill_in_the_third_batch(point: PullPoint) -> None:
        points.append(point)
        if points.count(PullPoint.MERGED) == 3:
            raise Killed

    with pytest.raises(Killed):
        filling.pull(plan, on_point=kill_in_the_third_batch, batch_size=20)
    left = filling.left()
    again = filling.plan(force=True)
    counts = filling.pull(again)

    assert (left, again.backfill_id, again.total, counts.requested) == (100, plan.backfill_id, 100, 100)
    assert set(filling.looked_up()) == set(everybody)
    assert sum(filling.looked_up().values()) <= 120 + 20
    assert filling.plan(force=True).shards == [], "cleared once more, there is nothing left"


def test_choosing_that_was_cut_off_goes_on_and_counts_nobody_twice(
    filling: Filling, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = phones(filling, 50)
    monkeypatch.setattr(backfill_module, "STEP_IDENTITIES", 20)
    filling.syncing.execute(BREAK_THE_SECOND_STEP)
    with pytest.raises(WarehouseError):
        filling.plan(force=True)
    filling.syncing.execute("drop function sync.break_off cascade")
    assert filling.left() == 20
    looked_up_meanwhile = sorted(everybody)[:5]
    filling.syncing.execute("update sync.roster set due_at = now() where identity_value = any(%s)", looked_up_meanwhile)
    assert filling.syncing.pull().found == 5

    plan = filling.plan(force=True)

    assert plan.total == 45
    assert filling.syncing.rows("select requested, planned_at is not null from sync.backfill") == [(50, True)]
    filling.pull(plan)
    assert filling.looked_up() == Counter(everybody)


def test_later_of_two_backfills_has_what_both_chose_and_nobody_is_looked_up_twice(filling: Filling) -> None:
    everybody = phones(filling, 60)
    first = filling.plan("first", force=True)
    second = filling.plan("second", frames=rows(*({"phone": phone} for phone in everybody[:25])))

    with ThreadPoolExecutor(2) as tasks:
        one = tasks.submit(filling.pull, first, "first", batch_size=10)
        two = tasks.submit(filling.pull, second, "second", batch_size=10)
        done = (one.result().requested, two.result().requested)

    assert done == (35, 25)
    assert filling.looked_up() == Counter(everybody)
    assert filling.left() == 0


def test_identity_in_the_hands_of_one_backfill_is_not_looked_up_again_for_a_later_one(filling: Filling) -> None:
    everybody = phones(filling, 30)
    first = filling.plan("first", force=True)
    plans: list[BackfillPlan] = []

    def choose_meanwhile(point: PullPoint) -> None:
        if point is PullPoint.LOOKED_UP and not plans:
            plans.append(filling.plan("second", force=True))

    one = filling.pull(first, "first", on_point=choose_meanwhile, batch_size=20)
    two = filling.pull(plans[0], "second")

    assert one.requested + two.requested == 30
    assert filling.looked_up() == Counter(everybody)


def test_beside_a_scheduled_pull_nobody_is_looked_up_twice_and_none_is_forgotten(filling: Filling) -> None:
    everybody = phones(filling, 150)
    filling.syncing.execute("update sync.roster set due_at = now() where identity_value = any(%s)", everybody[:90])
    plan = filling.plan(force=True)

    with ThreadPoolExecutor(2) as tasks:
        scheduled = tasks.submit(filling.syncing.pull, batch_size=20)
        filled = tasks.submit(filling.pull, plan, batch_size=20)
        done = scheduled.result().requested + filled.result().requested

    assert done == 150
    assert filling.looked_up() == Counter(everybody)
    assert filling.left() == 0


def test_identity_does_not_fall_due_while_a_backfill_looks_it_up(filling: Filling) -> None:
    soon, later = sorted(phones(filling, 2))
    filling.syncing.execute(
        "update sync.roster set due_at = now() + interval '1 minute' where identity_value = %s", soon
    )
    leased: list[Any] = []

    def look(point: PullPoint) -> None:
        if point is PullPoint.CLAIMED and not leased:
            query = "select identity_value, due_at <= now(), due_at > leased_until from sync.roster order by 1"
            leased.extend(filling.syncing.rows(query))

    filling.pull(filling.plan(force=True), on_point=look)

    assert leased == [(soon, True, False), (later, False, True)]
    assert filling.syncing.value("select count(*) from sync.roster where due_at <= now()") == 0


def failing(filling: Filling, phone: str) -> Any:
    """Let the service never answer for one phone; returns a configuration that gives up soon."""
    filling.syncing.simulator.control.put_raw_answers(
        [RawAnswer(filling.syncing.organization_id, phone, b"{}", status=500)]
    )
    return replace(filling.syncing.config, call_deadline_seconds=0.2)


def test_identity_without_an_answer_stays_in_the_backfill_until_the_retry(filling: Filling) -> None:
    phone = phones(filling, 10)[4]
    plan = filling.plan(force=True)

    with pytest.raises(PullIncomplete, match="1 of 10"):
        filling.pull(plan, config=failing(filling, phone))
    assert filling.left() == 1
    assert filling.pull(plan).requested == 0, "not before its time"
    filling.syncing.simulator.control.clear_raw_answers()
    filling.syncing.make_due()

    assert filling.pull(plan).found == 1
    assert filling.left() == 0


def test_end_of_a_backfill_hands_over_what_got_no_answer(filling: Filling) -> None:
    phone = phones(filling, 10)[4]
    plan = filling.plan(force=True)
    filling.pull(plan, config=failing(filling, phone), failed_tolerance_share=0.5)

    ended = finish_backfill(filling.syncing.warehouse, "fill")

    assert ended == (plan.backfill_id, 1)
    assert filling.left() == 0
    assert filling.syncing.rows("select finished_at is not null from sync.backfill") == [(True,)]
    minutes_to_wait = "extract(epoch from due_at - now()) / 60 between 0 and 3"
    assert filling.syncing.rows(f"select {minutes_to_wait} from sync.roster where outcome = 'failed'") == [(True,)]
    assert finish_backfill(filling.syncing.warehouse, "fill") == (plan.backfill_id, 0)


def test_identities_that_a_backfill_could_not_get_hold_of_are_due_at_once(filling: Filling) -> None:
    phones(filling, 3)
    filling.plan(force=True)

    assert finish_backfill(filling.syncing.warehouse, "fill") is not None

    assert filling.syncing.value("select count(*) from sync.roster where due_at <= now() and backfill_id is null") == 3


def test_run_without_a_backfill_has_nothing_to_end(filling: Filling) -> None:
    assert finish_backfill(filling.syncing.warehouse, "no such run") is None
    assert read_progress(filling.syncing.warehouse, "no such run", "dag.pull") is None


def test_progress_is_that_of_all_tasks_of_the_run(filling: Filling) -> None:
    phones(filling, 6)
    filling.plan(force=True)
    for map_index, count in enumerate((2, 3)):
        filling.syncing.execute(
            "insert into sync.run (run_id, task, map_index, requested, changed) values ('fill', 'dag.pull', %s, %s, 1)",
            *(map_index, count),
        )

    progress = read_progress(filling.syncing.warehouse, "fill", "dag.pull")

    assert progress is not None
    assert (progress.requested, progress.looked_up, progress.changed, progress.failed) == (6, 5, 2, 0)


@pytest.fixture
def other(warehouse_dsn: str) -> Iterator[Any]:
    connection = psycopg2.connect(warehouse_dsn)
    yield connection
    connection.close()


def held(other: Any, phones_in_order: Iterable[str]) -> Any:
    cursor = other.cursor()
    for phone in phones_in_order:
        cursor.execute("update sync.roster set misses = misses + 1 where identity_value = %s", (phone,))
    return cursor


@pytest.mark.parametrize("is_named", [True, False])
def test_choosing_gives_way_to_whoever_holds_rows_and_waits_for_them(
    filling: Filling, other: Any, is_named: bool
) -> None:
    first, last = sorted(phones(filling, 2))
    frames = rows({"phone": first}, {"phone": last}) if is_named else None
    held(other, [last])

    with ThreadPoolExecutor(1) as tasks:
        planning = tasks.submit(filling.plan, force=True, frames=frames)
        time.sleep(0.3)
        # The other way round than the choosing goes: whoever waits longest would be the victim of a deadlock.
        held(other, [first])
        other.commit()
        plan = planning.result(timeout=20)

    assert plan.total == 2
    assert filling.syncing.rows("select distinct misses, requested::int from sync.roster, sync.backfill") == [(1, 2)]


def test_rows_held_for_ever_end_the_choosing_with_an_error_worth_a_retry(
    filling: Filling, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(other, phones(filling, 1))
    monkeypatch.setattr("syrve.warehouse.database._PATIENT_TRIES", 2)

    with pytest.raises(WarehouseUnavailable, match="choose for the backfill: others keep its rows locked; try again"):
        filling.plan(force=True)
    other.rollback()

    assert filling.plan(force=True).total == 1


def test_others_write_between_the_steps_while_a_whole_roster_is_chosen(filling: Filling) -> None:
    filling.syncing.execute(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source)"
        " select %s, 'card', 'C' || n, 'test' from generate_series(1, 40000) as s (n)",
        filling.syncing.organization_id,
    )
    marked_at_writes: list[int] = []
    done = threading.Event()
    write = "update sync.roster set misses = 0 where identity_value in ('C9999', 'C7', 'C25000')"
    marked = "select count(*) from sync.roster where backfill_id is not null"

    def keep_writing() -> None:
        while not done.is_set():
            filling.syncing.execute(write)
            marked_at_writes.append(filling.syncing.value(marked))

    with ThreadPoolExecutor(1) as tasks:
        writing = tasks.submit(keep_writing)
        plan = filling.plan(force=True)
        done.set()
        writing.result()

    assert plan.total == 40_000
    assert any(0 < each < 40_000 for each in marked_at_writes), (
        "a step at a time, not the whole roster in one transaction"
    )
