"""People are told once that webhooks have stopped while orders go on, and once that they are back."""

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.channels import Webhook
from notifications.conftest import CONNECTION, Connecting
from syrve.notifications.signals import tell_of_signals
from syrve.signals.events import Event, fed_order, read_events
from syrve.signals.keeping import Channel, keep_events
from syrve.signals.work import SignalWork
from syrve.warehouse.database import Warehouse

ORGANIZATION = "5f4e0000-0000-4000-8000-000000000001"
Events = Callable[[int], None]
numbers = iter(range(10**9))


def events(count: int, *, fed: bool) -> list[tuple[str, Event]]:
    """Orders of nobody: only that they go on matters."""
    found = []
    for _ in range(count):
        number = next(numbers)
        order: dict[str, Any] = {
            "id": f"5f4e0000-0000-4000-8001-{number:012d}",
            "organizationId": ORGANIZATION,
            "order": {"status": "Closed", "number": number},
        }
        if fed:
            found.append((ORGANIZATION, fed_order(ORGANIZATION, order, region="RU")))
        else:
            event = {"eventType": "DeliveryOrderUpdate", "organizationId": ORGANIZATION, "eventInfo": order}
            found += [(ORGANIZATION, each) for each in read_events([event], region="RU")]
    return found


def come(warehouse: Warehouse, channel: Channel, count: int) -> None:
    with warehouse.transaction("test") as cursor:
        keep_events(cursor, events(count, fed=channel == "feed"), channel)
    SignalWork(warehouse).take()


def execute(warehouse: Warehouse, statement: str) -> None:
    with warehouse.transaction("test") as cursor:
        cursor.execute(statement)


@pytest.fixture
def tell(warehouse: Warehouse, connecting: Connecting, webhook: Webhook) -> Callable[[], list[str]]:
    connecting(webhook.path)

    def run() -> list[str]:
        tell_of_signals(warehouse, conn_id=CONNECTION)
        return [message["title"] for message in webhook.taken]

    return run


@pytest.fixture
def quiet(warehouse: Warehouse) -> Warehouse:
    """Webhooks came, the last of them two hours ago."""
    come(warehouse, "webhook", 3)
    execute(warehouse, "update sync.signal_flow set last_at = last_at - interval '2 hours'")
    return warehouse


def test_stop_is_told_once_and_so_is_the_return(
    quiet: Warehouse, tell: Callable[[], list[str]], webhook: Webhook
) -> None:
    come(quiet, "feed", 25)

    assert [tell(), tell()][-1] == ["Syrve: signals have stopped"]
    assert "no order events since" in webhook.taken[0]["message"]
    assert "25 order states read from the feed" in webhook.taken[0]["message"]

    come(quiet, "feed", 25)
    assert len(tell()) == 1, "told already"
    come(quiet, "webhook", 1)
    assert [tell(), tell()][-1] == ["Syrve: signals have stopped", "Syrve: signals are back"]


def test_quiet_night_without_orders_alerts_nobody(quiet: Warehouse, tell: Callable[[], list[str]]) -> None:
    assert tell() == []


def test_feed_beside_webhooks_that_come_alerts_nobody(warehouse: Warehouse, tell: Callable[[], list[str]]) -> None:
    come(warehouse, "webhook", 1)
    come(warehouse, "feed", 50)

    assert tell() == []


def test_organization_that_never_sent_webhooks_alerts_nobody(
    warehouse: Warehouse, tell: Callable[[], list[str]]
) -> None:
    come(warehouse, "feed", 50)

    assert tell() == []


def test_old_orders_that_are_read_again_alert_nobody(quiet: Warehouse, tell: Callable[[], list[str]]) -> None:
    with quiet.transaction("test") as cursor:
        fed = events(50, fed=True)
        keep_events(cursor, fed, "feed")
        cursor.execute("update sync.signal set event_at = now() - interval '3 days' where channel = 'feed'")
    SignalWork(quiet).take()

    assert tell() == []


def test_stop_that_no_channel_took_is_told_by_the_next_run(
    quiet: Warehouse, tell: Callable[[], list[str]], webhook: Webhook
) -> None:
    come(quiet, "feed", 25)
    webhook.status = 500
    tell()
    webhook.status = 200

    assert len([tell(), tell()][-1]) == 1


def test_changes_found_without_a_balance_signal_count_for_a_day(
    warehouse: Warehouse, tell: Callable[[], list[str]]
) -> None:
    flow = "insert into sync.signal_flow (organization_id, sort, last_at, unreported) values "
    execute(warehouse, f"{flow} ('{ORGANIZATION}', 'balance', now() - interval '20 hours', 500)")
    assert tell() == []

    execute(warehouse, "update sync.signal_flow set last_at = now() - interval '25 hours'")
    assert tell() == ["Syrve: signals have stopped"]
