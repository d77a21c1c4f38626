"""The order feed against the simulator's live-service dialect."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from signals.feeding import Feeding
from signals.shapes import ONE, ORDER, TWO
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.decode_cloud import order_page
from syrve.api.errors import Rejected, UnsupportedByDialect
from syrve.api.models import OrderPage
from syrve.organizations import write_organizations
from syrve.signals.feed import GUARANTEED, PAD, OrderFeed
from syrve.signals.work import SignalWork
from syrve.warehouse.database import Warehouse


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
