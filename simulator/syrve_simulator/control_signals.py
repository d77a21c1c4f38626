"""Orders at the simulated tills, and who is told of them, on the control path."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from syrve_simulator.application import Simulator
from syrve_simulator.bank import Movement
from syrve_simulator.control_refusals import ControlRefusedError, customer_of, organization_of
from syrve_simulator.http_message import Request
from syrve_simulator.jsontext import exact
from syrve_simulator.ledger import Transaction
from syrve_simulator.model import Organization
from syrve_simulator.orders import STATUSES, Order
from syrve_simulator.signals import Subscription
from syrve_simulator.wire.cloud.orders import encode_order
from syrve_simulator.wire.cloud.times import wire_moment

_PAY_FROM_WALLET = 8
_CLOSED = "Closed"
_Number = Annotated[int, msgspec.Meta(ge=0)]


class _GivenOrder(msgspec.Struct, forbid_unknown_fields=True):
    status: str | None = None
    kind: Literal["delivery", "table"] = "delivery"
    order_id: str | None = None
    customer_id: str | None = None
    phone: str | None = None
    number: _Number | None = None
    external_number: str | None = None
    sum: str = "0"
    from_wallet: str = "0"
    wallet_id: str | None = None


class _GivenSubscription(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    password: str | None = None


class SignalPaths:
    """Places and changes orders, and lets the service tell of them and of balances."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        simulator.service.bank.on_movement = self._tell_of_balance

    def put_order(self, request: Request, arguments: Mapping[str, str]) -> object:
        """Place an order, or let one that is known go on; closing one takes its money from the wallet. Returns it."""
        given = msgspec.json.decode(request.body, type=_GivenOrder)
        organization = organization_of(self._simulator, arguments)
        book = self._simulator.service.orders
        known = None if given.order_id is None else book.find(organization.position, given.order_id)
        order = self._order(given, known)
        if order.status not in STATUSES[order.kind]:
            raise ControlRefusedError(400, f"status: must be one of {', '.join(STATUSES[order.kind])}")
        if order.status == _CLOSED and (known is None or known.status != _CLOSED):
            self._pay(organization, order)
        kept = book.put(organization.position, order)
        self._tell_of_order(organization, kept)
        return encode_order(organization, kept)

    def orders(self, _request: Request, arguments: Mapping[str, str]) -> object:
        """Return the orders of an organization by revision."""
        organization = organization_of(self._simulator, arguments)
        found = self._simulator.service.orders.of(organization.position)
        return {"orders": [encode_order(organization, one) for one in found]}

    def subscribe(self, request: Request, arguments: Mapping[str, str]) -> object:
        """Send the balance notifications of an organization to an address from now on."""
        given = msgspec.json.decode(request.body, type=_GivenSubscription)
        organization = organization_of(self._simulator, arguments)
        self._simulator.service.signals.subscriptions[organization.position] = Subscription(given.url, given.password)
        return {}

    def unsubscribe(self, _request: Request, arguments: Mapping[str, str]) -> object:
        """Send nothing of an organization any more: neither notifications nor webhooks."""
        organization = organization_of(self._simulator, arguments)
        signals = self._simulator.service.signals
        signals.subscriptions.pop(organization.position, None)
        signals.webhooks.pop(organization.position, None)
        return {}

    def counts(self, _request: Request, _arguments: Mapping[str, str]) -> object:
        """Return how many signals were sent, taken, lost and so on, and how many wait."""
        signals = self._simulator.service.signals
        return signals.counts | {"waiting": signals.waiting}

    def _order(self, given: _GivenOrder, known: Order | None) -> Order:
        if known is not None:
            return replace(known, status=given.status or known.status)
        number = given.number if given.number is not None else self._simulator.service.orders.newest % 100_000
        return Order(
            order_id=given.order_id or str(uuid.uuid4()),
            kind=given.kind,
            status=given.status or STATUSES[given.kind][0],
            customer_id=given.customer_id,
            phone=given.phone,
            number=number,
            external_number=given.external_number,
            sum=exact(given.sum),
            from_wallet=exact(given.from_wallet),
            wallet_id=given.wallet_id,
            created_ms=self._simulator.service.orders.now_ms(),
            revision=0,
        )

    def _pay(self, organization: Organization, order: Order) -> None:
        if order.from_wallet <= 0 or order.customer_id is None or order.wallet_id is None:
            return
        _, ordinal = customer_of(
            self._simulator, {"organization_id": organization.organization_id, "customer_id": order.customer_id}
        )
        movement = Movement(
            sum=-order.from_wallet,
            type=_PAY_FROM_WALLET,
            type_name="PayFromWallet",
            made_by=None,
            order_number=order.number,
            order_sum=order.sum,
        )
        self._simulator.service.bank.move(organization, ordinal, order.wallet_id, movement)

    def _tell_of_order(self, organization: Organization, order: Order) -> None:
        name, event_type = {
            "delivery": ("deliveryOrderFilter", "DeliveryOrderUpdate"),
            "table": ("tableOrderFilter", "TableOrderUpdate"),
        }[order.kind]
        signals = self._simulator.service.signals
        webhook = signals.webhooks.get(organization.position)
        if webhook is None or not webhook.wants(name, order.status):
            return
        event = {
            "eventType": event_type,
            "eventTime": wire_moment(datetime.fromtimestamp(order.revision / 1000, UTC)),
            "organizationId": organization.organization_id,
            "correlationId": str(uuid.uuid4()),
            "eventInfo": encode_order(organization, order),
        }
        signals.send_event(organization.position, event)

    def _tell_of_balance(self, organization: Organization, one: Transaction) -> None:
        notification = {
            "id": one.transaction_id,
            "customerId": one.customer_id,
            "phone": None,
            "organizationId": organization.organization_id,
            "uocId": str(uuid.uuid5(uuid.NAMESPACE_OID, organization.organization_id)),
            "walletId": one.account.wallet_id,
            "sum": one.sum,
            "balance": one.balance_after,
            "transactionType": one.type_name,
            "notificationType": 1,
            "orderId": one.order_id,
            "orderNumber": None if one.order_number is None else str(one.order_number),
            "isDelivery": None,
            "terminalGroupId": None,
            "changedOn": one.created_at.isoformat(timespec="milliseconds"),
        }
        self._simulator.service.signals.send_balance(organization.position, notification)
