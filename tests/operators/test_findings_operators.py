"""Reconciliation as Airflow runs it: which moment, what is settled first, and what fails alone."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from fixtures.airflow import Running
from fixtures.books import GUEST, ORGANIZATION, OTHER_ORGANIZATION, START, Book, after, open_book
from fixtures.pulls import Syncing
from syrve.findings.errors import FindingsError, UnusableThresholds
from syrve.operators.findings import (
    SyrvePlanReconcileOperator,
    SyrveReconcileOperator,
    SyrveSettleOperator,
    is_past,
    moment_of,
)
from syrve.warehouse.errors import WarehouseUnavailable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def book(syncing: Syncing, warehouse_dsn: str) -> Iterator[Book]:
    yield from open_book(syncing.warehouse, warehouse_dsn)


def context(run_type: str, **more: Any) -> Any:
    run = SimpleNamespace(run_type=run_type, run_after=NOON + timedelta(minutes=1))
    return {"dag_run": run, "data_interval_end": NOON} | more


@pytest.mark.parametrize(
    ("run_type", "given", "moment", "past"),
    [
        ("scheduled", None, NOON, False),
        ("backfill", None, NOON, True),
        ("manual", None, NOON + timedelta(minutes=1), False),
        ("manual", "2026-02-03", datetime(2026, 2, 3, tzinfo=UTC), True),
        ("manual", "2026-02-03T04:00+03:00", datetime(2026, 2, 3, 1, tzinfo=UTC), True),
    ],
)
def test_run_looks_as_of_its_intervals_end_or_what_the_form_says(
    run_type: str, given: str | None, moment: datetime, past: bool
) -> None:
    assert moment_of(context(run_type), given) == moment
    assert is_past(context(run_type), given) is past


def test_moment_to_come_is_refused() -> None:
    with pytest.raises(FindingsError, match="still to come"):
        moment_of(context("manual"), "2100-01-01")


@pytest.mark.parametrize("given", ["{{ 7 * 7 }}", "yesterday", "2026-13-01"])
def test_moment_that_is_none_is_refused_in_words(given: str) -> None:
    for read in (moment_of, is_past):
        with pytest.raises(FindingsError, match="as_of: must be an ISO 8601 date or time") as refused:
            read(context("manual"), given)
        assert refused.value.retry_after_seconds is None


def test_no_task_evaluates_a_moment_to_come(running: Running, book: Book) -> None:
    book.hold()

    with pytest.raises(FindingsError, match="still to come"):
        running.execute(SyrveReconcileOperator, organization_id=ORGANIZATION, given_as_of="2100-01-01")

    assert book.rows("select count(*) from wallet.finding_evaluation") == [(0,)]


def test_plan_chooses_every_organization_of_the_ledger(running: Running, book: Book) -> None:
    book.hold()
    book.hold(organization=OTHER_ORGANIZATION)
    book.hold(organization=OTHER_ORGANIZATION)

    planned = running.execute(SyrvePlanReconcileOperator, as_of="2026-03-05")

    assert planned == [{"organization_id": each} for each in (ORGANIZATION, OTHER_ORGANIZATION)]
    assert (
        running.execute(SyrvePlanReconcileOperator, as_of="2026-03-05", organization_ids=[ORGANIZATION.upper()])
        == planned[:1]
    )


def test_thresholds_that_make_no_sense_stop_the_run_before_anything_is_done(running: Running) -> None:
    with pytest.raises(UnusableThresholds, match="there is no threshold 'hold_ttl'"):
        running.execute(SyrvePlanReconcileOperator, thresholds={"default": {"hold_ttl": 7}})


def test_reconciling_returns_counts_and_makes_customers_with_open_holds_active(running: Running, book: Book) -> None:
    book.hold()
    book.run(
        "insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, due_at) "
        "values (%s, 'id', %s, 'test', %s, now() + interval '9 days')",
        (ORGANIZATION, GUEST, GUEST),
    )
    job: dict[str, Any] = {"organization_id": ORGANIZATION}
    active = "select active_until > now() + interval '1 day', due_at <= now() from sync.roster"

    told = running.execute(SyrveReconcileOperator, **job, given_as_of=after(days=1).isoformat())

    assert told == {
        "open": {"stale_hold": 1, "hold_without_order": 1},
        "opened": told["open"],
        "changed": {},
        "closed": {},
    }
    assert book.rows(active) == [(None, False)], "a past moment"

    thresholds = {ORGANIZATION: {"rules_off": ["hold_without_order", "stale_hold"]}}
    told = running.execute(SyrveReconcileOperator, **job, thresholds=thresholds)

    assert (told["open"], told["closed"]) == ({}, {"stale_hold": 1, "hold_without_order": 1})
    assert book.rows(active) == [(True, True)]
    assert book.rows("select changed, found from sync.run") == [(4, 2)]


def test_past_moment_settles_nothing(running: Running) -> None:
    with pytest.raises(AirflowSkipException):
        running.execute(SyrveSettleOperator, as_of="2026-03-05")


def test_unknown_operations_are_settled_where_evidence_shows_them(running: Running, book: Book, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    (customer,) = running.syncing.customers(1)
    book.topup(
        datetime.now(UTC) - timedelta(minutes=10),
        organization=running.syncing.organization_id,
        guest=customer["customer_id"],
        wallet=customer["wallets"][0]["id"],
        state=("planned", "sent"),
        source="dag",
    )

    assert running.execute(SyrveSettleOperator) == {"asked": 1, "settled": 0, "unknown": 1}

    assert "the balance before the call is not known" in caplog.text
    assert book.rows("select state from wallet.unsettled_operation") == [("unknown",)]


def test_two_runs_at_one_organization_wait_in_turn(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syrve.findings.reconcile.LOCK_WAIT_SECONDS", 1.0)
    book.hold()
    key = f"syrve.findings.{ORGANIZATION}"
    with book.connection, book.connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (key,))
    try:
        with pytest.raises(WarehouseUnavailable, match="another run"):
            book.reconcile(START)
    finally:
        with book.connection, book.connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (key,))
    assert book.reconcile(after(days=1)).open.total() == 2
