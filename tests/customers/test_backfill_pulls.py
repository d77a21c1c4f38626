"""Each identity of a backfill is looked up once and none is lost, whatever is killed, fails or runs beside it."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from fixtures.backfills import Filling, phones, rows
from fixtures.waiting import wait_until
from syrve.customers import backfill as backfill_module
from syrve.customers.backfill import BackfillPlan, finish_backfill, read_progress
from syrve.customers.pull import PullIncomplete, PullPoint
from syrve.warehouse.errors import WarehouseError, WarehouseUnavailable
from syrve_simulator.control import RawAnswer

WAIT_FOR_A_LOCK = (
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)
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


@pytest.mark.parametrize("is_named", [True, False])
def test_choosing_gives_way_to_whoever_holds_rows_and_waits_for_them(
    filling: Filling, other: Any, is_named: bool
) -> None:
    first, last = sorted(phones(filling, 2))
    frames = rows({"phone": first}, {"phone": last}) if is_named else None
    held(other, [last])

    with ThreadPoolExecutor(1) as tasks:
        planning = tasks.submit(filling.plan, force=True, frames=frames)
        wait_until(lambda: filling.syncing.value(WAIT_FOR_A_LOCK) > 0)
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
