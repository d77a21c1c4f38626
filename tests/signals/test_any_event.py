"""Whatever a sender writes into the fields that are read, it is kept and worked off: no event stands in the way of others."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals.shapes import CUSTOMER, ONE, ORDER, PHONE, WALLET
from syrve.signals.events import items_of, read_events
from syrve.signals.keeping import keep_events
from syrve.signals.work import SignalWork
from syrve.warehouse.database import Warehouse

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [10**400, -(10**20), 1e300, -0.0, 5e-324, 0.1 + 0.2, "NaN", "1e999999", "-Infinity", "\x00", "\ud83d", ""]
    ),
    st.sampled_from(
        ["0001-01-01 00:00:00.000", "9999-12-31T23:59:59-12:00", "2199-12-31T23:59:59-14:00", "2000-01-01"]
    ),
    st.sampled_from([10_000_000_000, 10_000_000_001, 9_999_999_999_999, 4_102_444_800_000, 7_258_118_400_000]),
    st.text(max_size=40),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def either(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | odd


payments = st.lists(
    st.fixed_dictionaries({"sum": odd, "paymentType": st.fixed_dictionaries({"kind": either("LoyaltyCard", "Cash")})}),
    max_size=3,
)
orders = st.fixed_dictionaries(
    {
        "customer": st.fixed_dictionaries({"id": either(CUSTOMER), "type": either("regular", "one-time")}) | odd,
        "phone": either(PHONE),
        "status": either("Closed", "Cancelled", "OnWay", "New"),
        "number": odd,
        "payments": payments | odd,
        "isDeleted": odd,
    }
)
events = st.fixed_dictionaries(
    {
        "eventType": either("DeliveryOrderUpdate", "TableOrderError", "ReserveUpdate"),
        "eventTime": odd,
        "eventInfo": st.fixed_dictionaries(
            {
                "id": either(ORDER),
                "externalNumber": odd,
                "timestamp": odd,
                "creationStatus": either("Error"),
                "order": orders | odd,
            }
        )
        | odd,
    }
)
balances = st.fixed_dictionaries(
    {
        "customerId": either(CUSTOMER),
        "walletId": either(WALLET),
        "phone": either(PHONE),
        "sum": odd,
        "balance": odd,
        "changedOn": odd,
        "transactionType": odd,
        "orderId": either(ORDER),
        "orderNumber": odd,
    }
)


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(items=st.lists(events | balances, min_size=1, max_size=12))
def test_whatever_is_reported_is_kept_and_worked_off(warehouse: Warehouse, items: list[dict[str, Any]]) -> None:
    read = read_events(items_of(json.dumps(items).encode()), region="RU")

    with warehouse.transaction("test") as cursor:
        kept = keep_events(cursor, [(ONE, each) for each in read], "webhook")

    assert SignalWork(warehouse).take().taken == kept
    with warehouse.transaction("test") as cursor:
        cursor.execute("select count(*) from wallet.payment_order where state_at > now()")
        assert cursor.fetchone() == (0,)
