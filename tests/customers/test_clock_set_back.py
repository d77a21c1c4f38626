"""A database clock that ran ahead and was set back: nobody who was looked up meanwhile stays as they were then."""

import logging
import re
from datetime import timedelta

import pytest

from fixtures.backfills import Filling
from fixtures.pulls import Syncing, phone_in
from syrve.customers.backfill import Backfill, BackfillChoice
from syrve.customers.plan import PullPlan, plan_pull
from syrve.quality.checks import all_checks

TIMES = """
    select tabled.oid::regclass::text, attribute.attname
    from pg_class as tabled
    join pg_attribute as attribute on attribute.attrelid = tabled.oid and attribute.attnum > 0 and not attribute.attisdropped
    where tabled.relnamespace in ('syrve'::regnamespace, 'sync'::regnamespace, 'crm'::regnamespace)
        and tabled.relkind in ('r', 'p') and not tabled.relispartition and attribute.atttypid = 'timestamptz'::regtype
    order by 1, 2
"""

OF_SYRVE = {
    *("syrve.customer.consent_from", "syrve.customer.consent_to", "syrve.customer_version.consent_from"),
    *("syrve.customer_version.consent_to", "syrve.card.valid_to", "syrve.card_version.card_valid_to"),
    *("syrve.coupon.activated_at", "syrve.coupon.not_after", "sync.signal.event_at"),
}
TO_COME = {
    *("sync.roster.due_at", "sync.roster.active_until", "sync.roster.leased_until", "crm.push_state.retry_at"),
    *("crm.push_state.leased_until", "sync.approval.answer_until", "syrve.daily_balance.as_of"),
    *(f"sync.call_budget.{name}_at" for name in ("next", "next_bulk", "next_backfill", "priority", "pull", "stepped")),
    *("sync.call_budget.slowed_at", "sync.call_budget.paused_until"),
}
"""Bounded by statements of their own."""
RECORDS = {
    *("sync.reject.first_seen_at", "sync.reject.last_seen_at", "sync.reject.resolved_at", "sync.coupon_watch.added_at"),
    *(
        "sync.call_budget_move.moved_at",
        "sync.breaker.tripped_at",
        "sync.breaker.alerted_at",
        "sync.breaker.decided_at",
    ),
    *("sync.held_back.held_at", "sync.held_back.last_seen_at", "sync.held_back.let_through_at"),
    *("crm.push_plan_summary.planned_at", "crm.push_plan.edited_at", "crm.push_plan.memberships_edited_at"),
    *("crm.push_plan.finished_at", "crm.push.attempted_at", "crm.push.recorded_at", "crm.push_held_back.held_at"),
    *("crm.conflict.found_at", "crm.conflict.closed_at", "sync.approval.asked_at", "sync.planned_content.planned_at"),
    *("sync.approval_event.occurred_at", "sync.check_result.checked_at", "sync.audit.done_at"),
    *("sync.signal_secret.made_at", "sync.signal_secret.retired_at", "sync.signal_flow.stopped_at"),
    *("sync.order_bookmark.fell_back_at", "sync.alert.began_at", "sync.alert.told_at", "sync.alert.ended_at"),
    *("sync.alert.end_told_at", "sync.planning_start.due_at", "sync.planning_start.started_at"),
}
"""What was done at that time by that clock: nothing is newer or older by it. A plan that was made then is made again."""


def run_ahead(syncing: Syncing, by: timedelta) -> None:
    """Leave everything as a clock that was ahead would have written it."""
    columns: dict[str, list[str]] = {}
    for table, column in syncing.rows(TIMES):
        columns.setdefault(table, []).append(column)
    for table, names in columns.items():
        moved = ", ".join(f"{name} = {name} + interval '{by.total_seconds()} seconds'" for name in names)
        syncing.execute(f"update {table} set {moved}")


def plan(syncing: Syncing) -> PullPlan:
    chosen = [syncing.organization_id]
    return plan_pull(
        syncing.warehouse, visible=chosen, wanted=chosen, force=False, shard_size=100, max_shards=1, limit=None
    )


def change(syncing: Syncing, customer_id: str, surname: str) -> None:
    syncing.simulator.control.change_customer(syncing.organization_id, customer_id, fields={"surname": surname})


@pytest.fixture
def ahead(syncing: Syncing) -> tuple[str, str]:
    """Two customers, the first with two versions, all looked up by a clock that was ahead; the second is known by two identities."""
    first, second = syncing.customers(2)
    change(syncing, first["customer_id"], "Первая")
    syncing.add(id=[first["customer_id"], second["customer_id"]])
    syncing.add(phone=[phone_in(second)])
    syncing.pull()
    for surname in ("Вторая", "Третья"):
        change(syncing, first["customer_id"], surname)
        syncing.make_due()
        syncing.pull()
    run_ahead(syncing, timedelta(days=400))
    return first["customer_id"], second["customer_id"]


def test_set_back_clock_freezes_no_customer(
    syncing: Syncing, ahead: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for customer_id in ahead:
        change(syncing, customer_id, "Позже")

    with caplog.at_level(logging.WARNING, logger="syrve.warehouse.clock"):
        assert plan(syncing).due == 2
    syncing.pull()

    assert [each for each in caplog.messages if "was set back" in each and re.search("(399|400) days", each)]
    assert syncing.rows("select distinct surname from syrve.customer") == [("Позже",)]
    assert syncing.value("select bool_and(fetched_at <= now() and profile_changed_at <= now()) from syrve.customer")
    assert syncing.value("select bool_and(checked_at <= now() and confirmed_at <= now()) from sync.roster")
    assert (
        syncing.rows("select field_changed_at from syrve.customer where field_changed_at ->> 'surname' > '2027'") == []
    )


def test_history_keeps_its_order_after_the_clock_is_set_back(syncing: Syncing, ahead: tuple[str, str]) -> None:
    plan(syncing)
    change(syncing, ahead[0], "Позже")
    syncing.pull()

    history = syncing.rows(
        "select surname from syrve.customer_history where customer_id = %s order by valid_from", ahead[0]
    )
    assert history == [("Первая",), ("Вторая",), ("Третья",), ("Позже",)]
    checks = [each for each in all_checks() if each.name in ("versions_apart", "replay_equals_mirror")]
    assert len(checks) == 2
    assert [syncing.rows(each.query) for each in checks] == [[], []]


def test_times_are_put_right_once(syncing: Syncing, ahead: tuple[str, str]) -> None:
    plan(syncing)
    rows = syncing.rows("select ctid from syrve.customer union all select ctid from sync.roster")

    assert plan(syncing).due == 2
    assert syncing.value("select sync.put_times_right()") is None
    assert syncing.rows("select ctid from syrve.customer union all select ctid from sync.roster") == rows


def test_backfill_puts_times_right_too(filling: Filling, ahead: tuple[str, str]) -> None:
    syncing = filling.syncing
    choice = BackfillChoice([syncing.organization_id], [syncing.organization_id], force=True)

    Backfill(syncing.warehouse, choice, key=syncing.key("syrve_backfill"), region="RU").plan(
        shard_size=100, max_shards=1
    )

    assert syncing.value("select max(fetched_at) < now() + interval '1 minute' from syrve.customer")


def test_mark_of_a_run_outlives_its_later_counts(syncing: Syncing, ahead: tuple[str, str]) -> None:
    syncing.make_due()
    syncing.runs -= 1  # the same task counts once more, by the clock that was set back
    syncing.pull()

    assert syncing.value("select max(updated_at) > now() + interval '300 days' from sync.run")


def test_every_time_of_the_past_is_put_right(syncing: Syncing) -> None:
    body = syncing.value("select pg_get_functiondef('sync.put_times_right()'::regprocedure)")

    left = {f"{table}.{column}" for table, column in syncing.rows(TIMES) if f"'{table}.{column}'" not in body}

    assert left == OF_SYRVE | TO_COME | RECORDS
