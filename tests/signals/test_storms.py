"""A storm from one organization: it keeps no other waiting, and costs few look-ups however long it lasts."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from signals.shapes import ONE, TWO, new_id, order_event
from syrve.signals.events import items_of, read_events
from syrve.signals.keeping import keep_events
from syrve.signals.work import MANY_A_DAY, SignalWork
from syrve.warehouse.database import Warehouse

Query = Callable[..., list[tuple[Any, ...]]]
BATCH = 50


def keep(warehouse: Warehouse, organization_id: str, count: int) -> None:
    """Keep signals about customers whom nobody knows."""
    items = [order_event(organization_id, customer={"id": new_id()}, phone=None) for _ in range(count)]
    events = [(organization_id, each) for each in read_events(items_of(json.dumps(items).encode()), region="RU")]
    with warehouse.transaction("test") as cursor:
        keep_events(cursor, events, "webhook")


def test_storm_of_one_organization_keeps_no_other_waiting(warehouse: Warehouse, query: Query) -> None:
    keep(warehouse, TWO, 6 * BATCH)
    keep(warehouse, ONE, 2)

    done = SignalWork(warehouse, batch_signals=BATCH).take(at_most_batches=1)

    assert done.taken == BATCH
    assert query(
        "select organization_id::text, count(*) from sync.signal where taken_at is not null group by 1 order by 1"
    ) == [(ONE, 2), (TWO, BATCH - 2)]
    assert query(
        "select max(signal_id) filter (where taken_at is not null) < min(signal_id) filter (where taken_at is null) "
        "from sync.signal where organization_id = %s",
        TWO,
    ) == [(True,)], "those that wait longest come first"


def test_signals_that_another_task_is_at_are_passed_over(
    warehouse: Warehouse, warehouse_dsn: str, query: Query
) -> None:
    keep(warehouse, ONE, 2 * BATCH)
    keep(warehouse, TWO, 1)
    with closing(psycopg2.connect(warehouse_dsn)) as other, other.cursor() as cursor:
        cursor.execute("select signal_id from sync.signal order by signal_id limit %s for update", (BATCH,))
        held = {signal_id for (signal_id,) in cursor.fetchall()}

        done = SignalWork(warehouse, batch_signals=BATCH).take()

        assert done.taken == BATCH + 1
        assert {signal_id for (signal_id,) in query("select signal_id from sync.signal where taken_at is null")} == held
        other.rollback()
    assert SignalWork(warehouse, batch_signals=BATCH).take().taken == BATCH


@pytest.mark.parametrize(("hits", "least", "most"), [(0, 0, 10), (80, 400, 400)], ids=["useless", "good"])
def test_storm_without_end_costs_look_ups_only_if_it_is_good(
    warehouse: Warehouse, query: Query, hits: int, least: int, most: int
) -> None:
    query(
        "insert into sync.signal_precision (organization_id, kind, whom, hits, trials) values (%s, 'order_completed', 'id', %s, 100)",
        ONE,
        hits,
    )
    for day in ("- interval '1 day'", "", "+ interval '1 day'"):  # midnight may pass
        query(
            "insert into sync.signal_day (organization_id, kind, day, received) "
            f"values (%s, 'order_completed', (now() at time zone 'UTC' {day})::date, %s)",
            ONE,
            1_000 * MANY_A_DAY,
        )
    keep(warehouse, ONE, 400)

    followed = SignalWork(warehouse).take().followed

    assert least <= followed <= most
