"""That no order changed is a claim of the feed: webhooks and look-ups are held against it, people are told, and it is read by date."""

from datetime import timedelta
from typing import Any

import pytest

from signals.feeding import Feeding
from signals.shapes import order_event
from signals.test_policy import Learning
from syrve.signals.events import read_events
from syrve.signals.flow import FlowChange, take_unreported
from syrve.signals.keeping import keep_events
from syrve.signals.work import SignalWork

EMPTY = {
    "operation": "orders_by_revision",
    "fault": "status",
    "status": 200,
    "body": {"maxRevision": None, "ordersByOrganizations": []},
}
FLOW = "select unreported, stopped_at is not null from sync.signal_flow where organization_id = %s and sort = 'feed'"
CONTRADICTED = (
    "update sync.signal_flow set last_at = now() - interval '25 hours', unreported = 140 "
    "where organization_id = %s and sort = 'feed'"
)


def flow(feeding: Feeding) -> list[tuple[Any, ...]]:
    return feeding.syncing.rows(FLOW, feeding.organization_id)


def changes(feeding: Feeding) -> list[FlowChange]:
    found = take_unreported(feeding.syncing.warehouse)
    return [each for each in found if each.organization_id == feeding.organization_id]


@pytest.fixture
def silent(feeding: Feeding) -> Feeding:
    """A feed that was read once by date, and of which others have said for a day that there are orders."""
    feeding.read()
    feeding.control.set_faults([EMPTY])
    feeding.read()
    feeding.syncing.execute(CONTRADICTED, feeding.organization_id)
    return feeding


def test_feed_against_which_others_speak_is_told_once(silent: Feeding) -> None:
    [told] = changes(silent)

    assert (told.sort, told.has_stopped, told.unreported) == ("feed", True, 140)
    assert changes(silent) == []
    silent.control.clear_faults()
    silent.place()
    silent.read()
    [back] = changes(silent)
    assert (back.sort, back.has_stopped) == ("feed", False)
    assert flow(silent) == [(0, False)]


def test_feed_that_is_not_read_is_not_silent(silent: Feeding) -> None:
    silent.age_bookmark(timedelta(hours=2))

    assert changes(silent) == []


@pytest.mark.parametrize(("unreported", "hours"), [(139, 25), (1_000, 23)])
def test_few_contradictions_or_a_short_silence_tell_nothing(silent: Feeding, unreported: int, hours: int) -> None:
    silent.syncing.execute(
        "update sync.signal_flow set unreported = %s, last_at = now() - make_interval(hours => %s)", unreported, hours
    )

    assert changes(silent) == []


def test_silent_feed_is_read_by_date_once_an_hour(silent: Feeding) -> None:
    changes(silent)
    order = silent.place()
    assert silent.read().orders == 0, "it was read by date a moment ago"
    silent.syncing.execute("update sync.order_bookmark set fell_back_at = now() - interval '61 minutes'")

    read = silent.read()

    assert (read.is_doubted, read.new_signals) == (True, 1)
    kept = "select count(*) from sync.signal where order_id = %s"
    assert silent.syncing.value(kept, order["id"]) == 1
    assert not silent.read().is_doubted
    assert flow(silent) == [(140, True)], "what is read by date shows not that the feed is alive"


def test_feed_read_by_date_alone_is_alive_with_later_orders(silent: Feeding) -> None:
    silent.syncing.execute("update sync.signal_flow set last_at = now()")
    silent.age_bookmark(timedelta(hours=4))
    assert silent.read().fell_back
    assert flow(silent) == [(140, False)], "nothing is later than what it had"
    silent.place()
    silent.age_bookmark(timedelta(hours=4))

    silent.read()

    assert flow(silent) == [(0, False)]


def test_deliveries_of_which_only_webhooks_tell_speak_against_it(feeding: Feeding) -> None:
    feeding.read()
    ours = feeding.organization_id
    kinds = ["DeliveryOrderUpdate", "DeliveryOrderError", "TableOrderUpdate"]
    items = [order_event(ours, event_type=each) for each in kinds]
    with feeding.syncing.warehouse.transaction("test") as cursor:
        keep_events(cursor, [(ours, each) for each in read_events(items, region="RU")], "webhook")

    SignalWork(feeding.syncing.warehouse).take()

    assert flow(feeding) == [(2, False)]


@pytest.fixture
def learning(feeding: Feeding) -> Learning:
    return Learning(feeding.syncing)


def test_changes_that_look_ups_find_speak_against_it(learning: Learning, feeding: Feeding) -> None:
    feeding.read()
    learning.watch()
    learning.change([each for each in learning.customers if each["phone"]][:7])
    learning.syncing.make_due()
    learning.syncing.pull()
    learning.fit()

    assert flow(feeding) == [(7, False)]


def test_silent_feed_alone_takes_no_trust_from_webhooks(learning: Learning, feeding: Feeding) -> None:
    feeding.read()
    learning.watch()
    learning.change(learning.customers)
    learning.signal(learning.customers)
    learning.syncing.execute("update sync.signal_flow set stopped_at = now() where sort = 'feed'")
    assert learning.fit() > 0

    learning.syncing.execute("delete from sync.signal_flow where sort <> 'feed'")
    assert learning.fit() == 0, "all signals came by the feed"
