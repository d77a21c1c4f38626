"""A worker whose clock is wrong neither freezes a customer nor lets an old answer win."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.pulls import IMPATIENT, Syncing
from syrve.api.bulk import BulkLookup, LookupResult
from syrve.api.models import Lookup
from syrve.api.protocol import CallStats
from syrve.customers.claims import PullScope
from syrve.customers.pull import CustomerPull
from syrve.warehouse.clock import WarehouseClock


class Skewed:
    """Look-ups whose times are of a clock that is wrong."""

    def __init__(self, bulk: BulkLookup, by: timedelta) -> None:
        self._bulk = bulk
        self._by = by

    @property
    def stats(self) -> CallStats:
        return self._bulk.stats

    def stop(self) -> None:
        self._bulk.stop()

    def look_up(self, lookups: Sequence[Lookup]) -> list[LookupResult]:
        return [replace(each, received_at=each.received_at + self._by) for each in self._bulk.look_up(lookups)]


def pull(syncing: Syncing, by: timedelta) -> None:
    with BulkLookup(syncing.config, backoff=IMPATIENT) as bulk:
        CustomerPull(
            syncing.warehouse,
            Skewed(bulk, by),  # type: ignore[arg-type]
            key=syncing.key("pull"),
            region="RU",
            settings=syncing.settings,
        ).run(PullScope(syncing.organization_id))


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(minutes=1)])
def test_clock_that_is_ahead_freezes_no_customer(syncing: Syncing, ahead: timedelta) -> None:
    (guest,) = syncing.customers(1)
    syncing.add(id=[guest["customer_id"]])
    pull(syncing, ahead)
    syncing.simulator.control.change_customer(
        syncing.organization_id, guest["customer_id"], fields={"surname": f"Позже-{ahead.days}"}
    )
    syncing.make_due()

    pull(syncing, timedelta())

    assert syncing.value("select surname from syrve.customer") == f"Позже-{ahead.days}"
    assert syncing.value("select bool_and(fetched_at <= now()) from syrve.customer")
    assert syncing.value("select bool_and(checked_at <= now() and confirmed_at <= now()) from sync.roster")


@pytest.mark.parametrize("ahead_seconds", [-3600.0, 0.0, 3600.0])
def test_skew_is_measured_told_and_put_right(
    syncing: Syncing, caplog: pytest.LogCaptureFixture, ahead_seconds: float
) -> None:
    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead_seconds)

    with caplog.at_level(logging.WARNING), syncing.warehouse.connect() as connection:
        clock = WarehouseClock(connection, local=wrong)

        put_right = clock.put_right(wrong(), clock.now())

    assert clock.skew_seconds == pytest.approx(ahead_seconds, abs=2)
    assert abs(put_right - datetime.now(UTC)) < timedelta(seconds=4)
    assert bool(caplog.messages) == bool(ahead_seconds)


@pytest.mark.parametrize("steps", [(86400.0, 0.0), (-3600.0, 0.0), (600.0, -600.0)])
def test_clock_that_is_set_while_a_pull_lasts_is_measured_anew(
    syncing: Syncing, caplog: pytest.LogCaptureFixture, steps: tuple[float, float]
) -> None:
    """A worker that was suspended, or whose time service wakes up late: its answers are neither too old nor too new."""
    seconds = [0.0]

    def stepping() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds[0])

    with caplog.at_level(logging.WARNING), syncing.warehouse.connect() as connection:
        clock = WarehouseClock(connection, local=stepping)
        assert clock.skew_seconds == 0
        for step in steps:
            answered = [stepping()]
            seconds[0] = step
            answered.append(stepping())

            latest = clock.now()

            assert clock.skew_seconds == pytest.approx(step, abs=60)
            for moment in answered:
                assert latest - timedelta(seconds=60) < clock.put_right(moment, latest) <= latest

    assert len(caplog.messages) == sum(bool(each) for each in steps)
