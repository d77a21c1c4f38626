"""Somebody else's order service: it calls Syrve as it likes, answers get lost, it dies, and it tells the import what it knows."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import requests

from findings.book import Answer
from findings.history import Cancel, Charge, Contested, Hold
from findings.world import Purse, Wait, World

_QUARTER, _HOUR, _DAY = 900.0, 3600.0, 86400.0
MISTAKE = "mistake-"
"""Begins the keys of records that do not agree with their hold."""


class CallFailed(Exception):
    """The call was refused, or nobody knows what it did."""


@dataclass
class Order:
    """One order: with whom, how much, and what the service knows of its money."""

    order_id: str
    purse: Purse
    amount: Decimal
    told_order_id: str | None
    holds: list[Hold] = field(default_factory=list)
    keys: int = 0

    def key(self, what: str) -> str:
        self.keys += 1
        return f"{self.order_id}-{what}-{self.keys}"


class Service:
    """Pays orders from wallets by calls of its own."""

    def __init__(self, world: World, *, fault_probability: float = 0.12) -> None:
        self._world = world
        self._fault_probability = fault_probability
        self._session = world.session()
        self._numbers = 0
        self.unwritten: list[str] = []
        """Comments of holds of which the service knows no id, so that it can tell nobody."""
        self.misreported: set[str] = set()
        """Holds that a till reports as consumed although it was refused: the ledger takes them for over."""

    # the flow of the reference document

    def pay_with_wallet(self, order: Order, *, succeeds: bool) -> Wait:
        """Hold, process the order, charge off the same sum; cancel the hold where anything fails. The hold stays open otherwise."""
        hold = self.hold(order)  # 1. Hold funds
        if hold is None or hold.granted_at is None:
            return  # holdWallet threw: there is no try around it
        yield self._a_while()
        try:
            self._process_order(order, succeeds=succeeds)  # 2. Process order...
            self.charge(order, order.amount, comment=f"Order {order.order_id} completed")  # 3. Charge off held funds
        except CallFailed:
            self.cancel(order, hold)  # Cancel hold if order fails

    def _process_order(self, order: Order, *, succeeds: bool) -> None:
        self.tell_order(order, "completed" if succeeds else "failed")
        if not succeeds:
            raise CallFailed

    # any other flow

    def muddle_through(self, order: Order) -> Wait:
        """Hold none, one or two times, charge none, one or two times, and end the holds in one way or another, or never."""
        world, rng = self._world, self._world.rng
        if rng.random() < 0.75:
            self.tell_order(order, "open")
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
            self.hold(order)
            if rng.random() < 0.3:
                yield self._a_while()
        yield self._a_while()
        if rng.random() < 0.7:
            self.tell_order(order, rng.choice(["completed", "completed", "failed", "cancelled"]))
        charges = rng.choice([0, 0, 1, 1, 2]) if order.told_order_id is not None else 0
        for _ in range(charges):
            amount = world.amount() if rng.random() < 0.3 else order.amount
            named = rng.choice(order.holds) if order.holds and rng.random() < 0.3 else None
            try:
                self.charge(order, amount, names=named)
            except CallFailed:
                continue
            if rng.random() < 0.3:
                yield self._a_while()
        for hold in order.holds:
            if rng.random() < 0.5:
                yield self._a_while()
            self.mistake(order, hold)
            yield from self._end(order, hold)

    def be_watched(self, order: Order) -> Wait:
        """Hold, and let others look at the balance between movements that are told, and some that are not."""
        world, rng, purse = self._world, self._world.rng, order.purse
        world.look(purse)
        yield _QUARTER
        hold = self.hold(order)
        self.top_up(order, world.amount())  # a look that shows nothing new leaves no trace, and a hold may show or not
        yield _QUARTER
        world.look(purse)
        for _ in range(rng.choice([1, 2, 3])):
            yield _QUARTER
            amount = world.amount()
            what = rng.choice(["topup", "charge", "silent", "nothing"])
            if what == "topup":
                self.top_up(order, amount)
            elif what == "charge":
                with suppress(CallFailed):
                    self.charge(order, amount)
            elif what == "silent":
                amount *= rng.choice([1, -1])
                world.control.add_transaction(
                    world.organization_id, purse.customer_id, purse.wallet_id, amount, type_name="Correction", type=9
                )
            yield _QUARTER
            world.look(purse)
            if what == "silent":
                world.history.silent.append((purse.customer_id, purse.wallet_id, amount, world.now))
        if hold is not None and rng.random() < 0.3:
            yield _DAY
            self.cancel(order, hold)

    def _end(self, order: Order, hold: Hold) -> Wait:
        way = self._world.rng.choice(["never", "cancel", "cancel", "twice", "till", "till"])
        if way in ("cancel", "twice"):
            self.cancel(order, hold)
        if way == "twice":
            yield self._a_while()
            self.cancel(order, hold)
        if way == "till":
            yield from self.consume(order, hold)

    # calls

    def order(self, purse: Purse) -> Order:
        """A new order of a wallet."""
        self._numbers += 1
        order_id = f"{self._world.seed}-{self._numbers}"
        told = order_id if self._world.rng.random() < 0.9 else None
        return Order(order_id, purse, self._world.amount(), told)

    def hold(self, order: Order) -> Hold | None:
        """Set the sum aside and tell of it; None if the service ends up without the hold's id."""
        world = self._world
        chosen = str(UUID(int=world.rng.getrandbits(128), version=4)) if world.dialect == "cloud" else None
        body = {"sum": float(order.amount), "comment": f"Order {order.order_id}", "transactionId": chosen}
        sent_at = world.now
        answer, content = self._call("wallet_hold", "customer/wallet/hold", order, body)
        hold_id = content.get("transactionId") if answer == "granted" else chosen
        if hold_id is None:
            if answer == "unclear":
                self.unwritten.append(str(body["comment"]))
            return None
        hold = Hold(hold_id, order.purse.customer_id, order.purse.wallet_id, order.amount, order.told_order_id, sent_at)
        fields = self._whose(order) | {"hold_id": hold_id, "amount": order.amount, "order_id": order.told_order_id}
        hold.granted_at, hold.refused_at = self._tell("hold", answer, sent_at, fields)
        world.history.holds.append(hold)
        if answer != "refused":
            order.holds.append(hold)
        world.time.advance(1)  # the next one is later, whichever of the two tells when it was sent
        return hold

    def charge(self, order: Order, amount: Decimal, *, names: Hold | None = None, comment: str = "Order") -> None:
        """Take a sum and tell of it. Raises `CallFailed`."""
        world = self._world
        key = order.key("charge")
        sent_at = world.now
        body = {"sum": float(amount), "comment": comment}
        answer, _ = self._call("wallet_chargeoff", "customer/wallet/chargeoff", order, body)
        fields = self._whose(order) | {"key": key, "amount": amount, "order_id": order.told_order_id}
        fields["hold_id"] = None if names is None else names.hold_id
        known = self._tell("chargeoff", answer, sent_at, fields)
        whose = (order.purse.customer_id, order.purse.wallet_id, amount, order.told_order_id)
        world.history.charges.append(Charge(key, *whose, sent_at, *known, names))
        if answer != "granted":
            raise CallFailed

    def top_up(self, order: Order, amount: Decimal) -> None:
        """Add a sum and tell of it."""
        sent_at = self._world.now
        answer, _ = self._call("wallet_topup", "customer/wallet/topup", order, {"sum": float(amount)})
        self._tell("topup", answer, sent_at, self._whose(order) | {"key": order.key("topup"), "amount": amount})

    def cancel(self, order: Order, hold: Hold) -> None:
        """Give the money back, and tell of it."""
        sent_at = self._world.now
        body = {"transactionId": hold.hold_id}
        answer, _ = self._call("wallet_cancel_hold", "customer/wallet/cancel_hold", order, body)
        fields = {"hold_id": hold.hold_id, "key": order.key("cancel"), "order_id": order.told_order_id}
        hold.cancels.append(Cancel(sent_at, *self._tell("cancel_hold", answer, sent_at, fields)))

    def mistake(self, order: Order, hold: Hold) -> None:
        """Report of a hold, rarely, that it was cancelled, with another customer, wallet or amount: the clerk meant another."""
        world, rng = self._world, self._world.mistakes
        if rng.random() > 0.08:
            return
        other = str(UUID(int=rng.getrandbits(128), version=4))
        mistakes: list[dict[str, Any]] = [{"customer_id": other}, {"wallet_id": other}, {"amount": hold.amount + 1}]
        wrong = rng.choice(mistakes)
        fields: dict[str, Any] = self._whose(order) | {"hold_id": hold.hold_id, "amount": hold.amount} | wrong
        row = {
            "record": "cancel_hold",
            "organization_id": world.organization_id,
            "occurred_at": world.now.isoformat(),
        }
        row |= {name: str(value) for name, value in fields.items()} | {"key": f"{MISTAKE}{hold.hold_id}"}
        for records in rng.choice([[world.records], [world.late], [world.records, world.late]]):
            records.append(row)
        world.history.contested.append(Contested(hold, world.now))

    def consume(self, order: Order, hold: Hold) -> Wait:
        """Let a till take the held money where it is still there; the till tells of it."""
        world = self._world
        known = world.control.holds(customer_id=hold.customer_id, state="open")
        if hold.hold_id not in {each["transaction_id"] for each in known} or hold.hold_id is None:
            return
        world.control.consume_hold(world.organization_id, hold.hold_id)
        hold.consumed_at = world.now
        key = order.key("till")
        fields = self._whose(order) | {"key": key, "amount": hold.amount, "order_id": order.told_order_id}
        world.tell("chargeoff", hold_id=hold.hold_id, consumes_hold=True, **fields)
        whose = (hold.customer_id, hold.wallet_id, hold.amount, hold.order_id)
        world.history.charges.append(Charge(key, *whose, world.now, world.now, None, hold, consumes=True))
        yield 0.0

    def tell_order(self, order: Order, state: str, amount: Decimal | None = None) -> None:
        """Tell of the order's state; one whose id is told of nowhere else is told of all the same."""
        self._world.tell("order", order_id=order.order_id, state=state, amount=amount)
        self._world.history.says(order.order_id, state, self._world.now, amount)

    def _tell(
        self, record: str, answer: Answer, sent_at: datetime, fields: dict[str, Any]
    ) -> tuple[datetime | None, datetime | None]:
        """Tell of a call as far as its caller knows: when it was sent, and the outcome; returns when it was granted or refused."""
        world = self._world
        begins = world.rng.random() < 0.4
        if begins:
            world.tell(record, at=sent_at, state="sent", **fields)
        if answer == "unclear":
            if not begins or world.rng.random() < 0.5:
                world.tell(record, state="unknown", **fields)
            return self._back_office_says(record, fields)
        world.tell(record, state="confirmed" if answer == "granted" else "rejected", **fields)
        return (world.now, None) if answer == "granted" else (None, world.now)

    def _back_office_says(self, record: str, fields: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
        """Let somebody look up days later what became of a hold, and tell of it."""
        world = self._world
        if record != "hold" or world.rng.random() < 0.5:
            return None, None
        was_made = any(each["transaction_id"] == fields["hold_id"] for each in world.control.holds())
        known_at = world.now + timedelta(days=world.rng.choice([1, 3, 20]))
        world.tell(record, at=known_at, state="confirmed" if was_made else "rejected", **fields)
        return (known_at, None) if was_made else (None, known_at)

    def _whose(self, order: Order) -> dict[str, Any]:
        return {"customer_id": order.purse.customer_id, "wallet_id": order.purse.wallet_id}

    def _a_while(self) -> float:
        return self._world.rng.choice([_QUARTER, _QUARTER, 3 * _QUARTER, 3 * _HOUR, _DAY, 3 * _DAY])

    def _call(self, operation: str, path: str, order: Order, body: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        world = self._world
        whose = {"organizationId": world.organization_id, "customerId": order.purse.customer_id}
        whose["walletId"] = order.purse.wallet_id
        is_struck = world.rng.random() < self._fault_probability
        if is_struck:
            world.control.set_faults([{"operation": operation, "count": 1} | world.fault()])
        try:
            return self._post(f"loyalty/iiko/{path}", whose | body)
        finally:
            world.time.advance(1)
            if is_struck:
                world.control.clear_faults()

    def _post(self, path: str, body: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        try:
            if "Authorization" not in self._session.headers:
                login = {"apiLogin": "demo-login"}
                token = self._session.post(f"{self._world.url}/api/1/access_token", json=login).json()["token"]
                self._session.headers["Authorization"] = f"Bearer {token}"
            response = self._session.post(
                f"{self._world.url}/api/1/{path}", json=body, timeout=self._world.patience_seconds
            )
            content = response.json()
        except requests.RequestException:
            return "unclear", {}
        own_status = content.get("httpStatusCode", response.status_code)
        if response.status_code >= 500 or own_status >= 500:
            return "unclear", {}
        if response.status_code == 401:
            del self._session.headers["Authorization"]  # for the next call
        is_granted = response.status_code == 200 and own_status < 400
        return ("granted" if is_granted else "refused"), content
