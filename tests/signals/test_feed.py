"""The order feed and the webhook settings against the simulator's live-service dialect."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fixtures.pulls import Syncing
from signals.shapes import ONE, ORDER, TWO
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.decode_cloud import order_page
from syrve.api.errors import Rejected, UnsupportedByDialect
from syrve.api.models import OrderPage
from syrve.organizations import write_organizations
from syrve.signals.errors import SignalError, UnlistedAddress
from syrve.signals.feed import GUARANTEED, PAD, FeedRead, OrderFeed
from syrve.signals.secret_book import hashes_of
from syrve.signals.secrets import hash_of
from syrve.signals.set_webhooks import set_webhooks
from syrve.signals.webhooks import WANTED, WebhooksTaken, merged_filter
from syrve.signals.work import SignalWork
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

URL = "https://receiver.example.com/syrve-signals/events"


@pytest.fixture(scope="module")
def live_service() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=40, seed=7, dialect="cloud", record_requests=True) as process:
        yield process


class Feeding:
    """Places orders at the simulated tills and reads them."""

    def __init__(self, service: SimulatorProcess, warehouse: Warehouse) -> None:
        self.control = service.control
        self.syncing = Syncing(
            service, warehouse, SyrveConfig(base_url=service.url, api_login="demo-login", dialect="cloud")
        )
        self.organization_id = self.syncing.organization_id
        self.control.clear_faults()
        self.control.reset_calls()
        self.control.reset_clock()

    def client(self) -> SyrveClient:
        return self.syncing.client()

    def read(self) -> FeedRead:
        with self.client() as client:
            return OrderFeed(self.syncing.warehouse, client, region="RU", time_zone="Europe/Moscow").read(
                self.organization_id
            )

    def place(self, **order: Any) -> dict[str, Any]:
        customer = self.syncing.customers(1)[0]
        return self.control.put_order(self.organization_id, customer_id=customer["customer_id"], **order)

    def calls(self, operation: str) -> int:
        calls = self.control.calls()["operations"]
        return calls[operation]["received"] if operation in calls else 0

    def age_bookmark(self, age: timedelta) -> None:
        self.syncing.execute("update sync.order_bookmark set read_at = now() - %s", age)


@pytest.fixture
def feeding(live_service: SimulatorProcess, warehouse: Warehouse) -> Feeding:
    return Feeding(live_service, warehouse)


def test_first_reading_goes_by_date_and_the_next_by_revision(feeding: Feeding) -> None:
    order = feeding.place()
    first = feeding.read()
    feeding.control.put_order(feeding.organization_id, order_id=order["id"], status="Closed")

    second = feeding.read()

    assert (first.fell_back, second.fell_back) == (True, False)
    assert (second.orders, second.new_signals, second.pages) == (1, 1, 1)
    SignalWork(feeding.syncing.warehouse).take()
    found = feeding.syncing.rows("select state, source from wallet.payment_order where order_id = %s", order["id"])
    assert found == [("completed", "order feed")]


def test_nothing_new_is_one_call_and_no_signal(feeding: Feeding) -> None:
    feeding.place()
    feeding.read()
    before = feeding.calls("orders_by_date")

    again = feeding.read()

    assert again.new_signals == 0
    assert feeding.calls("orders_by_date") == before


def test_revision_that_is_too_old_is_read_by_date(feeding: Feeding) -> None:
    feeding.read()
    feeding.age_bookmark(timedelta(hours=4))
    order = feeding.place()

    read = feeding.read()

    assert (read.fell_back, read.new_signals >= 1) == (True, True)
    assert feeding.syncing.value("select count(*) from sync.signal where order_id = %s", order["id"]) == 1
    assert feeding.syncing.value("select fell_back_at is not null from sync.order_bookmark")


def test_service_that_forgot_the_revision_is_read_by_date(feeding: Feeding) -> None:
    feeding.read()
    feeding.syncing.execute("update sync.order_bookmark set revision = 1")

    assert feeding.read().fell_back


def test_window_with_too_much_is_read_in_halves(feeding: Feeding) -> None:
    feeding.place()
    feeding.control.set_faults([{"operation": "orders_by_date", "fault": "status", "status": 422, "count": 3}])

    read = feeding.read()

    assert read.pages >= 10
    assert feeding.syncing.value("select count(*) from sync.order_bookmark") == 1


def test_feed_that_breaks_off_keeps_its_place(feeding: Feeding) -> None:
    feeding.place()
    feeding.control.set_faults([{"operation": "orders_by_date", "fault": "status", "status": 400, "after": 3}])

    with pytest.raises(Rejected, match="orders_by_date"):
        feeding.read()

    assert feeding.syncing.value("select count(*) from sync.order_bookmark") == 0


def test_reference_dialect_has_no_feed_and_says_so(feeding: Feeding) -> None:
    config = SyrveConfig(base_url=feeding.syncing.config.base_url, api_login="demo-login", dialect="reference")
    with SyrveClient(config) as client, pytest.raises(UnsupportedByDialect, match="does not offer this"):
        client.orders_by_revision(feeding.organization_id, 1)


def test_feed_and_webhook_tell_the_same_state_once(feeding: Feeding) -> None:
    order = feeding.place(status="Closed")
    feeding.read()
    from signals.shapes import order_event
    from signals.test_work import Signalling

    event = order_event(feeding.organization_id) | {"eventInfo": order}
    Signalling(feeding.syncing).take(event)

    count = "select count(*) from wallet.payment_order_version where order_id = %s"
    assert feeding.syncing.value(count, order["id"]) == 1


def test_webhooks_are_added_and_nothing_is_taken_away(feeding: Feeding) -> None:
    theirs = {
        "stopListUpdateFilter": {"updates": True},
        "deliveryOrderFilter": {"orderStatuses": ["Odd"], "itemStatuses": ["Added"]},
    }
    with feeding.client() as client:
        client.update_webhook_settings(feeding.organization_id, URL, None, theirs)
        warehouse, ours = feeding.syncing.warehouse, feeding.organization_id
        preview = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=True)
        assert client.webhook_settings(feeding.organization_id).filter == theirs
        sent = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        again = set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        present = client.webhook_settings(feeding.organization_id)

    assert (preview["sent"], sent["sent"], again["sent"]) == (False, True, False)
    assert present.filter["stopListUpdateFilter"] == {"updates": True}
    assert {"Odd", "Closed"} <= set(present.filter["deliveryOrderFilter"]["orderStatuses"])
    assert present.filter["deliveryOrderFilter"]["itemStatuses"] == ["Added"]
    assert present.token is not None
    assert hashes_of(feeding.syncing.warehouse, feeding.organization_id) == {hash_of(present.token)}
    assert present.token not in str((preview, sent, again))


def test_webhooks_of_another_are_moved_only_when_told_to(feeding: Feeding) -> None:
    with feeding.client() as client:
        client.update_webhook_settings(feeding.organization_id, "https://other.example.com/hook", "their-token", {})
        warehouse, ours = feeding.syncing.warehouse, feeding.organization_id
        with pytest.raises(WebhooksTaken, match=r"other\.example\.com"):
            set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False)
        assert set_webhooks(warehouse, client, ours, URL, addresses=[URL], is_dry_run=False, may_move=True)["sent"]


@pytest.mark.parametrize(
    "url", ["http://a.example.com/x", "https://a.example.com/x?secret=1", "https://u:p@a.example.com/x", "nothing"]
)
def test_address_that_could_leak_is_refused(feeding: Feeding, url: str) -> None:
    with feeding.client() as client, pytest.raises(SignalError, match="https address"):
        set_webhooks(
            feeding.syncing.warehouse,
            client,
            feeding.organization_id,
            url,
            addresses=[url],
            is_dry_run=True,
            may_move=True,
        )


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_webhooks_go_nowhere_that_the_settings_do_not_list(feeding: Feeding, is_dry_run: bool) -> None:
    with feeding.client() as client:
        before = client.webhook_settings(feeding.organization_id)
        for addresses in ([], [URL]):
            with pytest.raises(UnlistedAddress, match="SYRVE_SIGNALS_ADDRESSES"):
                set_webhooks(
                    feeding.syncing.warehouse,
                    client,
                    feeding.organization_id,
                    f"{URL}.evil.example",
                    addresses=addresses,
                    is_dry_run=is_dry_run,
                    may_move=True,
                )
        assert client.webhook_settings(feeding.organization_id) == before
    assert hashes_of(feeding.syncing.warehouse, feeding.organization_id) == set()


def test_filter_of_odd_shape_is_completed() -> None:
    merged = merged_filter({"tableOrderFilter": None, "x": 1})

    assert merged == {"x": 1, **WANTED}
    assert merged["tableOrderFilter"] == {"orderStatuses": ["New", "Bill", "Closed", "Deleted"], "errors": True}


def test_moment_of_an_order_is_that_of_its_last_change(feeding: Feeding) -> None:
    order = feeding.place()
    feeding.read()

    ((event_at,),) = feeding.syncing.rows("select event_at from sync.signal where order_id = %s", order["id"])
    assert abs((event_at - datetime.fromtimestamp(order["timestamp"] / 1000, UTC)).total_seconds()) < 0.01


def test_organizations_clock_decides_the_windows(feeding: Feeding) -> None:
    with feeding.client() as client:
        write_organizations(
            feeding.syncing.warehouse, client.organizations(), time_zone="Asia/Vladivostok", account="a"
        )
    before = len(feeding.control.recorded_requests("orders_by_date"))
    zone = ZoneInfo("Asia/Vladivostok")
    now = datetime.now(zone)

    feeding.read()

    asked = [each["body"] for each in feeding.control.recorded_requests("orders_by_date")[before:]]
    first = datetime.strptime(asked[-1]["deliveryDateFrom"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=zone)
    last = datetime.strptime(asked[0]["deliveryDateTo"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=zone)
    assert abs(first - (now - GUARANTEED - PAD)) < timedelta(minutes=30)
    assert abs(last - (now + PAD)) < timedelta(minutes=30)


class WindowedService:
    """A service that names the highest revision of the orders of a window, and none for an empty one."""

    def __init__(self, revisions: dict[int, int]) -> None:
        self.revisions = revisions
        self.asked: list[datetime] = []

    def orders_by_revision(self, organization_id: str, revision: int) -> OrderPage:
        return OrderPage(revision - 1, ((TWO, {"id": ORDER}),))

    def orders_by_date(self, organization_id: str, since: datetime, until: datetime) -> OrderPage:
        self.asked.append(since)
        return OrderPage(self.revisions.get(len(self.asked)), ())


@pytest.mark.parametrize("empty", [None, 0])
def test_revision_is_that_of_the_newest_orders(warehouse: Warehouse, empty: int | None) -> None:
    service = WindowedService({1: empty, 2: 700, 3: 600, 8: 100})  # type: ignore[dict-item]

    OrderFeed(warehouse, service, region="RU", time_zone="UTC").read(ONE)

    assert service.asked == sorted(service.asked, reverse=True)
    with warehouse.transaction("test") as cursor:
        cursor.execute("select revision from sync.order_bookmark")
        assert cursor.fetchall() == [(700,)]


def test_revision_that_went_back_is_read_by_date(warehouse: Warehouse) -> None:
    service = WindowedService({1: 700, 10: 650})
    feed = OrderFeed(warehouse, service, region="RU", time_zone="UTC")
    feed.read(ONE)

    again = feed.read(ONE)

    assert again.fell_back
    with warehouse.transaction("test") as cursor:
        cursor.execute("select revision from sync.order_bookmark")
        assert cursor.fetchall() == [(650,)]


def test_order_of_another_organization_is_not_kept(warehouse: Warehouse) -> None:
    class Muddled(WindowedService):
        def orders_by_date(self, organization_id: str, since: datetime, until: datetime) -> OrderPage:
            return OrderPage(700, ((TWO, {"id": ORDER}), (ONE, {"id": ORDER})))

    OrderFeed(warehouse, Muddled({}), region="RU", time_zone="UTC").read(ONE)

    with warehouse.transaction("test") as cursor:
        cursor.execute("select organization_id::text from sync.signal")
        assert cursor.fetchall() == [(ONE,)]


@pytest.mark.parametrize("revision", [2**63, -1, Decimal("1.5"), "1e30", "NaN", None])
def test_what_can_be_no_revision_keeps_no_order_away(revision: object) -> None:
    answer = {
        "maxRevision": revision,
        "ordersByOrganizations": [{"organizationId": ONE, "orders": [{"id": ORDER}]}],
    }

    assert order_page(answer) == OrderPage(None, ((ONE, {"id": ORDER}),))
    assert order_page(answer | {"maxRevision": 2**63 - 1}).max_revision == 2**63 - 1
