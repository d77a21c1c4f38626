"""Counts add up, and what could not be imported is kept, once, until it is resolved."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.warehouse.database import Connection, Warehouse, transaction
from syrve.warehouse.runs import (
    MAX_IDENTITY_LENGTH,
    MAX_PAYLOAD_LENGTH,
    Counts,
    Reject,
    TaskKey,
    add_counts,
    add_rejects,
    read_counts,
)
from syrve.warehouse.staging import prepare_staging

ORGANIZATION_ID = "7bc05553-4b68-44e8-b7bc-37be63c6d9e9"
REJECT = Reject(
    "customer", ORGANIZATION_ID, "phone +79001234567", "field", "birthday is not a possible date", "1990-02-30"
)
NAMES = [field.name for field in dataclasses.fields(Counts) if field.name not in ("seconds", "changed_tables")]
SOME_COUNTS = st.builds(
    Counts, **{name: st.integers(0, 10**9) for name in NAMES}, seconds=st.integers(0, 10**6).map(lambda n: n / 8)
)


@pytest.fixture
def connection(lasting_warehouse: Warehouse) -> Iterator[Connection]:
    """A connection with staging tables, to a warehouse without runs and rejects."""
    with lasting_warehouse.connect() as opened:
        prepare_staging(opened)
        with transaction(opened, "empty") as cursor:
            cursor.execute("delete from sync.run; delete from sync.reject")
        yield opened


def kept(connection: Connection, columns: str) -> list[tuple[Any, ...]]:
    with transaction(connection, "read rejects") as cursor:
        cursor.execute(f"select {columns} from sync.reject order by reject_id")
        return cursor.fetchall()


def reject(connection: Connection, *rejects: Reject, run_id: str = "run-1") -> None:
    with transaction(connection, "reject") as cursor:
        add_rejects(cursor, run_id, rejects)


def test_counts_of_batches_and_mapped_tasks_add_up(connection: Connection) -> None:
    runs = iter(range(10**6))

    @given(batches=st.lists(st.tuples(st.integers(-1, 3), SOME_COUNTS), max_size=6))
    def check(batches: list[tuple[int, Counts]]) -> None:
        run_id, total = f"run-{next(runs)}", Counts()
        with transaction(connection, "count") as cursor:
            for map_index, counts in batches:
                add_counts(cursor, TaskKey(run_id, "dag.task", map_index), counts)
                total.add(counts)
            add_counts(cursor, TaskKey(run_id, "dag.other"), Counts(requested=7))
            add_counts(cursor, TaskKey("another run", "dag.task"), Counts(requested=7))

            assert read_counts(cursor, run_id, "dag.task").as_dict() == pytest.approx(total.as_dict())

    check()


def test_each_mapped_task_has_a_row_of_its_own(connection: Connection) -> None:
    with transaction(connection, "count") as cursor:
        for map_index in (0, 1, 1):
            add_counts(cursor, TaskKey("run", "dag.task", map_index), Counts(requested=5, seconds=0.25))
        cursor.execute("select map_index, requested, seconds::text from sync.run order by map_index")

        assert cursor.fetchall() == [(0, 5, "0.25"), (1, 10, "0.50")]


def test_task_that_never_ran_counts_nothing(connection: Connection) -> None:
    with transaction(connection, "count") as cursor:
        assert read_counts(cursor, "no such run", "dag.task") == Counts()


def test_every_count_has_its_column_in_the_run_table(connection: Connection) -> None:
    with transaction(connection, "look") as cursor:
        cursor.execute(
            "select column_name from information_schema.columns where table_schema = 'sync' and table_name = 'run'"
        )
        columns = {name for (name,) in cursor.fetchall()}

    assert columns - {"run_id", "task", "map_index", "started_at", "updated_at"} == {
        *NAMES,
        "seconds",
        "changed_tables",
    }


def test_reject_is_kept_with_what_was_received(connection: Connection) -> None:
    reject(connection, REJECT)

    columns = "run_id, entity, organization_id::text, identity, stage, reason, payload, occurrences, resolved_at"
    assert kept(connection, columns) == [
        ("run-1", *dataclasses.astuple(REJECT)[:5], {"received": "1990-02-30"}, 1, None)
    ]


def test_same_reject_again_is_counted_and_keeps_the_latest_payload(connection: Connection) -> None:
    reject(connection, REJECT)
    reject(connection, dataclasses.replace(REJECT, payload="1990-02-31"), run_id="run-2")

    assert kept(connection, "run_id, occurrences, payload->>'received'") == [("run-2", 2, "1990-02-31")]


def test_same_reject_twice_in_one_batch_is_one(connection: Connection) -> None:
    reject(connection, REJECT, REJECT)

    assert kept(connection, "occurrences") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        {"entity": "coupon"},
        {"organization_id": None},
        {"identity": "id 1"},
        {"stage": "look_up"},
        {"reason": "sex is none of the known values"},
    ],
)
def test_reject_that_differs_in_its_key_is_another(connection: Connection, change: dict[str, Any]) -> None:
    reject(connection, REJECT, dataclasses.replace(REJECT, **change))

    assert kept(connection, "occurrences") == [(1,), (1,)]


def test_reject_without_an_organization_is_counted_like_any_other(connection: Connection) -> None:
    for _ in range(2):
        reject(connection, dataclasses.replace(REJECT, organization_id=None))

    assert kept(connection, "occurrences") == [(2,)]


def test_resolved_reject_that_comes_back_is_opened_anew(connection: Connection) -> None:
    reject(connection, REJECT)
    with transaction(connection, "resolve") as cursor:
        cursor.execute("update sync.reject set resolved_at = now()")
    reject(connection, REJECT)

    assert kept(connection, "resolved_at is null, occurrences") == [(False, 1), (True, 1)]


def test_reject_without_a_payload_has_none(connection: Connection) -> None:
    reject(connection, dataclasses.replace(REJECT, payload=None))

    assert kept(connection, "payload is null") == [(True,)]


def test_no_rejects_are_no_rows(connection: Connection) -> None:
    reject(connection)

    assert kept(connection, "1") == []


def test_endless_payload_and_identity_are_kept_in_part(connection: Connection) -> None:
    reject(connection, dataclasses.replace(REJECT, identity="9" * 5000, payload={"name": "a" * 100_000}))

    ((identity, text, length),) = kept(
        connection, "length(identity), payload->>'received_text', (payload->>'cut_from_length')::integer"
    )
    assert identity == MAX_IDENTITY_LENGTH
    assert len(text) == MAX_PAYLOAD_LENGTH
    assert length > 100_000


def test_payload_nested_without_end_is_told_as_such(connection: Connection) -> None:
    payload: Any = 1
    for _ in range(100):
        payload = [payload]

    reject(connection, dataclasses.replace(REJECT, payload=payload))

    assert kept(connection, "payload") == [({"not_kept": "nested too deeply"},)]


ANY_TEXT = st.text(st.characters(exclude_categories=()))
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
)


def test_whatever_was_received_can_be_kept(connection: Connection) -> None:
    @given(identity=st.text(st.characters(exclude_categories=()), max_size=300), payload=PAYLOADS)
    def check(identity: str, payload: Any) -> None:
        with transaction(connection, "reject") as cursor:
            cursor.execute("delete from sync.reject")
            add_rejects(cursor, "run", [dataclasses.replace(REJECT, identity=identity, payload=payload)])
            cursor.execute("select count(*) from sync.reject")

            assert cursor.fetchone() == (1,)

    check()
