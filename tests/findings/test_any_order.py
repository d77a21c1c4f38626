"""Records about the same holds and orders come to the same, in whatever order they arrive: findings, holds and balances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.books import Book, after
from syrve.findings.reconcile import reconcile
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.importing import WalletImport
from syrve.warehouse.runs import TaskKey

NAMES = UUID("5f4e0006-0000-4000-8000-000000000000")
LATER = after(hours=30)
HOLDS, ORDERS, GUESTS = ("hold 1", "hold 2"), ("order-1", "order-2"), ("guest 1", "guest 2")
AMOUNTS = ("20.00", "30.00")


@dataclass(frozen=True)
class World:
    """One organization in which the facts are told; ids differ from world to world and mean the same."""

    number: int

    def id(self, name: str) -> str:
        return str(uuid5(NAMES, f"{self.number} {name}"))

    def row(self, fact: dict[str, Any]) -> dict[str, Any]:
        ids = ("organization_id", "hold_id", "customer_id", "wallet_id")
        return {name: self.id(value) if name in ids and value else value for name, value in fact.items()}


def money(record: str, minute: int, key: str, **fields: Any) -> dict[str, Any]:
    whose = {"customer_id": "guest 1", "wallet_id": "wallet"}
    row = {"record": record, "key": key, "occurred_at": after(minutes=minute).isoformat(), "organization_id": "here"}
    return row | whose | fields


HOLD = st.builds(
    lambda hold, amount, order, guest, state: money(
        "hold", 0, "", hold_id=hold, amount=amount, order_id=order, customer_id=guest, state=state
    ),
    st.sampled_from(HOLDS),
    st.sampled_from(AMOUNTS),
    st.sampled_from((*ORDERS, "")),
    st.sampled_from(GUESTS),
    st.sampled_from(("confirmed", "confirmed", "confirmed", "unknown", "rejected")),
)
CANCEL = st.builds(
    lambda hold, amount, state: money("cancel_hold", 0, "", hold_id=hold, amount=amount, customer_id="", state=state),
    st.sampled_from(HOLDS),
    st.sampled_from((*AMOUNTS, "")),
    st.sampled_from(("confirmed", "confirmed", "unknown", "rejected")),
)
CHARGE = st.builds(
    lambda hold, amount, order, guest, consumes, state: money(
        "chargeoff",
        0,
        "",
        hold_id=hold,
        amount=amount,
        order_id=order,
        customer_id=guest,
        consumes_hold="true" if consumes and hold else "",
        state=state,
    ),
    st.sampled_from((*HOLDS, "")),
    st.sampled_from(AMOUNTS),
    st.sampled_from((*ORDERS, "")),
    st.sampled_from(GUESTS),
    st.booleans(),
    st.sampled_from(("confirmed", "confirmed", "confirmed", "unknown")),
)
TOPUP = st.builds(
    lambda amount, order, charge: money("topup", 0, "", amount=amount, order_id=order, refund_of=charge),
    st.sampled_from(AMOUNTS),
    st.sampled_from((*ORDERS, "")),
    st.sampled_from(("", *(f"key {place}" for place in range(3)))),
)
ORDER = st.builds(
    lambda order, state, amount: {
        "record": "order",
        "key": "",
        "occurred_at": "",
        "organization_id": "here",
        "order_id": order,
        "state": state,
        "amount": amount,
    },
    st.sampled_from(ORDERS),
    st.sampled_from(("open", "completed", "cancelled", "failed")),
    st.sampled_from(("", "20.00", "50.00")),
)


@st.composite
def facts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw records of different moments and keys; each hold is reported once at most: of two reports the first would count."""
    drawn = draw(st.lists(st.one_of(HOLD, HOLD, CANCEL, CHARGE, CHARGE, TOPUP, ORDER, ORDER), min_size=2, max_size=6))
    minutes = draw(st.permutations(range(1, len(drawn) + 1)))
    told, held = [], set()
    for place, fact in enumerate(drawn):
        if fact["record"] == "hold":
            if fact["hold_id"] in held:
                continue
            held.add(fact["hold_id"])
        key = "" if fact["record"] in ("hold", "order") else f"key {place}"
        told.append(fact | {"key": key, "occurred_at": after(minutes=minutes[place]).isoformat()})
    return told


def tell(book: Book, world: World, told: Sequence[dict[str, Any]]) -> None:
    """Import records one after another, each by itself."""
    job = WalletImport(book.warehouse, key=TaskKey(f"world {world.number}", "import"), source=f"till {world.number}")
    for fact in told:
        job.run([world.row(fact)])


def reconciled(book: Book, world: World, moment: datetime) -> dict[str, list[Any]]:
    """What is known of the world as of a moment, by names that every world has."""
    here = world.id("here")
    reconcile(
        book.warehouse, as_of=moment, organization_ids=[here], thresholds=Thresholds(Limits()), run_id=f"{world.number}"
    )
    names = {world.id(name): name for name in (*HOLDS, *GUESTS, "wallet", "here")}
    queries = {
        "holds": "select hold_id::text, customer_id::text, amount, order_id, state, opened_at, confirmed_at, closed_at, closed_by "
        "from wallet.hold where organization_id = %s",
        "orders": "select order_id, state, expected, held, open_amount, charged, consumed, refunded, unpaid, not_given_back, "
        "refunded_too_much from wallet.order_balance where organization_id = %s",
        "charges": "select customer_id::text, amount, order_id, hold_id::text, consumes_hold, charged_at from wallet.charge "
        "where organization_id = %s",
        "contested": "select hold_id::text, kind, reported_customer_id::text, reported_amount, occurred_at "
        "from wallet.contested_ending where organization_id = %s",
        "findings": "select rule, customer_id::text, hold_id::text, amount_at_risk, severity, evidence ->> 'order_id' "
        "from wallet.finding where resolved_at is null and organization_id = %s",
    }
    known = {}
    for what, query in queries.items():
        rows = [tuple(names.get(value, value) for value in row) for row in book.rows(query.replace("%s", f"'{here}'"))]
        known[what] = sorted(rows, key=repr)
    return known


@given(told=facts(), data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_come_to_the_same_in_any_order(book: Book, told: list[dict[str, Any]], data: st.DataObject) -> None:
    first, second = World(next(book.numbers)), World(next(book.numbers))

    tell(book, first, told)
    tell(book, second, data.draw(st.permutations(told), label="as it arrived"))

    assert reconciled(book, second, LATER) == reconciled(book, first, LATER)
