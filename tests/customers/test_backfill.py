"""Which identities a backfill chooses, what it rejects, and what a dry run says and leaves as it was."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from fixtures.backfills import Filling, phones, rows
from fixtures.pulls import Syncing

UNSEEN = "5f4e0006-0000-4000-8000-000000000009"
KEPT_TABLES = """
select format('%I.%I', schemaname, tablename)
from pg_tables
where schemaname in ('syrve', 'sync', 'crm') and tablename <> 'call_budget'
order by 1
"""


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
        ("import", "phone call me", "phone is not a possible number in region RU"),
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
