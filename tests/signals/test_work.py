"""What follows from a signal: due, added, an order's state, a movement; and what it taught."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fixtures.pulls import Syncing
from signals.shapes import balance_notification, new_id, order_event
from syrve.api.models import Organization
from syrve.customers.claims import PullScope
from syrve.organizations import write_organizations
from syrve.signals.events import items_of, read_events
from syrve.signals.keeping import keep_events
from syrve.signals.listen import Listener
from syrve.signals.work import SignalWork, Worked

NOW = datetime.now(UTC)


class Signalling:
    """Keeps signals for one organization of the simulator and works them off."""

    def __init__(self, syncing: Syncing) -> None:
        self.syncing = syncing
        self.organization_id = syncing.organization_id
        self.work = SignalWork(syncing.warehouse, batch_signals=50)

    def keep(self, *items: dict[str, Any]) -> int:
        events = [
            (self.organization_id, each) for each in read_events(items_of(json.dumps(items).encode()), region="RU")
        ]
        with self.syncing.warehouse.transaction("test") as cursor:
            return keep_events(cursor, events, "webhook")

    def take(self, *items: dict[str, Any]) -> Worked:
        self.keep(*items)
        return self.work.take()

    def pull(self) -> None:
        self.syncing._pull(PullScope(self.organization_id, tier="signalled"))

    def due(self) -> list[tuple[str, str]]:
        return self.syncing.rows(
            "select identity_kind, identity_value from sync.roster where due_at <= now() order by 1, 2"
        )


@pytest.fixture
def signalling(syncing: Syncing) -> Signalling:
    return Signalling(syncing)


def order_of(customer: Any, **changes: Any) -> dict[str, Any]:
    return order_event(customer={"type": "regular", "id": customer["customer_id"]}, phone=customer["phone"], **changes)


def at_time(event: dict[str, Any], event_time: str | None = None) -> dict[str, Any]:
    """The event with this time, or none."""
    return event | {"eventTime": event_time, "eventInfo": event["eventInfo"] | {"timestamp": None}}


def test_known_customer_is_due_once_however_often_signalled(signalling: Signalling) -> None:
    first, second = signalling.syncing.customers(2)
    signalling.syncing.add(phone=[first["phone"], second["phone"]])
    signalling.syncing.pull()
    assert signalling.due() == []

    worked = signalling.take(
        order_of(first),
        order_of(first, status="OnWay"),
        balance_notification(customerId=first["customer_id"], phone=None),
    )

    assert (worked.taken, worked.followed, worked.new_customers) == (3, 3, 0)
    assert signalling.due() == [("phone", first["phone"])]


def test_unknown_customer_is_added_and_pulled(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)

    assert signalling.take(order_of(first)).new_customers == 1
    assert signalling.syncing.rows("select identity_kind, identity_value, source from sync.roster") == [
        ("id", first["customer_id"], "order")
    ]
    signalling.pull()
    evaluated = signalling.work.evaluate()

    assert signalling.syncing.rows("select customer_id::text from syrve.customer") == [(first["customer_id"],)]
    assert (evaluated.evaluated, evaluated.led_to_change) == (1, 1)


def test_person_known_by_phone_alone_is_added_by_phone(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)

    signalling.take(order_event(customer={"type": "one-time", "id": new_id()}, phone=first["phone"]))

    assert signalling.syncing.rows("select identity_kind, identity_value, source from sync.roster") == [
        ("phone", first["phone"], "order")
    ]
    assert signalling.syncing.rows("select phone from sync.signal") == [(None,)]


def test_phone_of_somebody_else_is_not_taken_for_theirs(signalling: Signalling) -> None:
    first, second = signalling.syncing.customers(2)
    signalling.syncing.add(phone=[second["phone"]])
    signalling.syncing.pull()

    signalling.take(order_event(customer={"id": first["customer_id"]}, phone=second["phone"]))

    assert signalling.due() == [("id", first["customer_id"])]


def test_states_of_an_order_arrive_in_any_order(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)
    begun_at = NOW - timedelta(hours=1)
    states = [("Closed", 3), ("Unconfirmed", 1), ("OnWay", 2)]
    events = [
        order_of(first, status=status) | {"eventTime": (begun_at + timedelta(minutes=m)).isoformat()}
        for status, m in states
    ]
    for event in events:
        event["eventInfo"]["timestamp"] = None

    signalling.take(*events, events[1])
    signalling.take(*events)

    order_id = events[0]["eventInfo"]["id"]
    query = "select order_id, state, amount, source from wallet.payment_order"
    assert signalling.syncing.rows(query) == [(order_id, "completed", Decimal("120.35"), "webhook")]
    assert signalling.syncing.value("select count(*) from wallet.payment_order_version") == 3


def begin_payment(signalling: Signalling, customer: Any) -> None:
    """Put an order of a site into the ledger, with a payment of a customer."""
    syncing = signalling.syncing
    syncing.execute(
        "insert into wallet.payment_order (organization_id, order_id, state, amount, state_at) "
        "values (%s, 'SITE-7', 'open', 5, '2026-01-01')",
        signalling.organization_id,
    )
    syncing.execute(
        "insert into wallet.payment (organization_id, payment_key, order_id, customer_id, wallet_id, amount, policy) "
        "values (%s, 'SITE-7', 'SITE-7', %s, %s, 5, 'pos_consumes_hold')",
        signalling.organization_id,
        customer["customer_id"],
        customer["wallets"][0]["id"],
    )


SITE_ORDER = "select state, amount from wallet.payment_order where order_id = 'SITE-7'"


@pytest.mark.parametrize("is_named", [True, False])
def test_order_is_reported_under_the_number_the_ledger_knows(signalling: Signalling, is_named: bool) -> None:
    (first,) = signalling.syncing.customers(1)
    signalling.syncing.add(phone=[first["phone"]])
    signalling.syncing.pull()
    begin_payment(signalling, first)

    report = order_of(first) if is_named else order_event(customer=None, phone=first["phone"])
    signalling.take(at_time(report))

    assert signalling.syncing.rows(SITE_ORDER) == [("completed", Decimal("120.35"))]


@pytest.mark.parametrize("status", ["Closed", "Cancelled"])
def test_same_number_of_another_customer_is_another_order(signalling: Signalling, status: str) -> None:
    first, other = signalling.syncing.customers(2)
    begin_payment(signalling, first)

    others = (order_of(other, status=status), order_event(customer=None, phone=None, status=status))
    signalling.take(*map(at_time, others))

    assert signalling.syncing.rows(SITE_ORDER) == [("open", Decimal(5))]


def test_sender_whose_clock_is_ahead_blocks_no_later_state(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)

    signalling.take(at_time(order_of(first, status="OnWay"), "2099-01-01T00:00:00Z"))
    signalling.take(at_time(order_of(first), "2099-01-01T00:00:01Z"))

    assert signalling.syncing.value("select max(state_at) <= now() from wallet.payment_order")
    assert signalling.syncing.value("select state from wallet.payment_order") == "completed"


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_own_clock_set_back_blocks_no_later_state(signalling: Signalling, is_one_batch: bool) -> None:
    (first,) = signalling.syncing.customers(1)
    (signalling.keep if is_one_batch else signalling.take)(at_time(order_of(first, status="OnWay")))

    signalling.keep(at_time(order_of(first)))
    signalling.syncing.rows(
        "update sync.signal set received_at = received_at - interval '1 hour' where kind = 'order_completed' returning 1"
    )
    signalling.work.take()

    assert signalling.syncing.rows("select state from wallet.payment_order") == [("completed",)]


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_late_report_without_a_time_reopens_no_order(signalling: Signalling, is_one_batch: bool) -> None:
    (first,) = signalling.syncing.customers(1)
    closed, late = order_of(first), order_of(first, status="OnWay") | {"eventTime": "yesterday"}
    late["eventInfo"]["timestamp"] = "soon"

    for items in [[closed, late]] if is_one_batch else [[closed], [late]]:
        signalling.take(*items)

    assert signalling.syncing.rows("select state from wallet.payment_order") == [("completed",)]


def test_report_without_a_time_opens_an_unknown_order(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)
    undated = order_of(first, status="OnWay") | {"eventTime": None}
    undated["eventInfo"]["timestamp"] = None

    signalling.take(undated)

    assert signalling.syncing.rows("select state from wallet.payment_order") == [("open",)]


def test_order_of_nobody_is_left_out_unless_the_ledger_knows_it(signalling: Signalling) -> None:
    signalling.take(order_event(customer=None, phone=None, payments=[]))

    assert signalling.syncing.value("select count(*) from wallet.payment_order") == 0


def test_balance_is_kept_as_a_movement_beside_what_was_seen(signalling: Signalling) -> None:
    (first,) = signalling.syncing.customers(1)
    wallet_id = first["wallets"][0]["id"]
    signalling.take(balance_notification(customerId=first["customer_id"], walletId=wallet_id, phone=None))
    signalling.pull()
    signalling.work.evaluate()

    ((amount, after, basis, seen, has_looked),) = signalling.syncing.rows(
        "select amount, balance_after, basis, balance_seen, looked_at is not null from wallet.notified_movement"
    )
    assert (amount, after, basis, has_looked) == (Decimal(50), Decimal("170.35"), "notification", True)
    assert seen == signalling.syncing.value("select balance from syrve.wallet_balance where wallet_id = %s", wallet_id)


def test_signal_about_a_customer_who_is_gone_finds_that_out(signalling: Signalling) -> None:
    gone = signalling.syncing.simulator.control.add_customer(signalling.organization_id, {"name": "Gone"})
    signalling.take(order_event(customer={"id": gone["customer_id"]}, phone=None))
    signalling.pull()
    signalling.work.evaluate()
    signalling.syncing.simulator.control.remove_customer(signalling.organization_id, gone["customer_id"])

    signalling.take(order_event(customer={"id": gone["customer_id"]}, phone=None, number=2))
    signalling.pull()

    assert signalling.work.evaluate().evaluated == 1
    assert signalling.syncing.rows("select outcome from sync.roster") == [("not_found",)]
    assert signalling.due() == []


def test_storm_of_useless_signals_soon_costs_little(signalling: Signalling) -> None:
    customers = signalling.syncing.customers(150)
    signalling.syncing.add(phone=[each["phone"] for each in customers])
    signalling.syncing.pull()

    followed = []
    for storm in range(4):
        worked = signalling.take(*[order_of(each, number=storm) for each in customers])
        followed.append(worked.followed)
        signalling.pull()
        signalling.work.evaluate()

    assert followed[0] == 150
    assert followed[-1] < 40, followed
    assert signalling.take(balance_notification(customerId=customers[0]["customer_id"], phone=None)).followed == 1, (
        "another kind"
    )


def test_storm_about_nobody_soon_costs_little(signalling: Signalling) -> None:
    followed = []
    for _ in range(4):
        worked = signalling.take(*[order_event(customer={"id": new_id()}, phone=None) for _ in range(150)])
        followed.append(worked.followed)
        signalling.pull()
        signalling.work.evaluate()

    assert followed[0] == 150
    assert followed[-1] < 40, followed
    (known,) = signalling.syncing.customers(1)
    signalling.syncing.add(phone=[known["phone"]])
    signalling.syncing.pull()
    assert signalling.take(order_of(known)).followed == 1, "known customers have a trust of their own"


def test_first_storm_is_judged_batch_by_batch(signalling: Signalling) -> None:
    signalling.keep(*[order_event(customer={"id": new_id()}, phone=None) for _ in range(400)])
    account = signalling.syncing.config.login_fingerprint
    write_organizations(
        signalling.syncing.warehouse, [Organization(signalling.organization_id, "A")], time_zone="UTC", account=account
    )

    done = Listener(signalling.work, lambda _: signalling.pull(), account=account).listen(0)

    assert done.taken == 400
    assert done.followed < 250


def test_kind_that_leads_to_changes_again_is_trusted_again(signalling: Signalling, query: Callable[..., Any]) -> None:
    signalling.syncing.execute(
        "insert into sync.signal_precision (organization_id, kind, hits, trials) values (%s, 'order_completed', 0, 100)",
        signalling.organization_id,
    )
    customers = signalling.syncing.customers(150)

    for number in range(3):
        for each in customers:
            signalling.syncing.simulator.control.change_customer(
                signalling.organization_id, each["customer_id"], fields={"name": f"N{number}"}
            )
        last = signalling.take(*[order_of(each, number=number) for each in customers]).followed
        signalling.pull()
        signalling.work.evaluate()

    assert last == 150
    assert query("select sum(led_to_change) > 150 from sync.signal_day") == [(True,)]
