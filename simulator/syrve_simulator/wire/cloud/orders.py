"""The order methods and the webhook settings of the live service, with their limits and errors (facts, sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from syrve_simulator.jsontext import encode
from syrve_simulator.model import Organization
from syrve_simulator.orders import Order
from syrve_simulator.signals import Webhook
from syrve_simulator.wire.cloud.times import wire_moment
from syrve_simulator.wire.contract import Answer, BadRequestError, Body, Operation, Service
from syrve_simulator.wire.errors import correlation_id, transport_error
from syrve_simulator.wire.reading import optional_text, optional_texts, required_text, whole_number

OLDEST_REVISION: Final = timedelta(hours=3)
WIDEST_WINDOW: Final = timedelta(days=1)
MOST_ORDERS: Final = 1_000
RESTAURANT_TIME: Final = timezone(timedelta(hours=3))
"""The clock of every restaurant: windows of orders go by it."""


def encode_order(organization: Organization, order: Order) -> dict[str, object]:
    """Write an order as the order methods and the webhooks do."""
    customer = None if order.customer_id is None else {"type": "regular", "id": order.customer_id, "name": "Guest"}
    payments: list[dict[str, object]] = []
    if order.from_wallet > 0:
        payments.append({"paymentType": {"name": "Bonus", "kind": "LoyaltyCard"}, "sum": order.from_wallet})
    if order.sum > order.from_wallet:
        payments.append({"paymentType": {"name": "Cash", "kind": "Cash"}, "sum": order.sum - order.from_wallet})
    return {
        "id": order.order_id,
        "posId": order.order_id,
        "externalNumber": order.external_number,
        "organizationId": organization.organization_id,
        "timestamp": order.revision,
        "creationStatus": "Success",
        "errorInfo": None,
        "order": {
            "customer": customer,
            "phone": order.phone,
            "status": order.status,
            "number": order.number,
            "sum": order.sum,
            "payments": payments,
            "whenCreated": wire_moment(datetime.fromtimestamp(order.created_ms / 1000, RESTAURANT_TIME)),
        },
    }


def orders_by_revision(service: Service, body: Body) -> Answer:
    """List the deliveries that changed since a revision, which may be three hours old at most."""
    revision = whole_number(body, "startRevision", 0)
    if revision < service.orders.now_ms() - OLDEST_REVISION / timedelta(milliseconds=1):
        return transport_error(400, "Passed revision is too old")
    return _listed(service, body, lambda order: order.revision > revision)


def orders_by_date(service: Service, body: Body) -> Answer:
    """List the deliveries of a window; too wide a one, or one with too many, is refused, and one without width fails."""
    first, last = _local(body, "deliveryDateFrom"), _local(body, "deliveryDateTo")
    if first == last:
        return transport_error(500, "Internal error")
    if last - first > WIDEST_WINDOW:
        return _too_much()
    return _listed(service, body, lambda order: first <= _created(order) <= last)


def _listed(service: Service, body: Body, is_wanted: Callable[[Order], bool]) -> Answer:
    newest = service.orders.newest
    found = []
    for organization_id in optional_texts(body, "organizationIds"):
        organization = _organization(service, organization_id)
        orders = [one for one in service.orders.of(organization.position) if one.kind == "delivery" and is_wanted(one)]
        if len(orders) > MOST_ORDERS:
            return _too_much()
        encoded = [encode_order(organization, one) for one in orders]
        found.append({"organizationId": organization.organization_id, "orders": encoded})
    return _answer({"maxRevision": newest, "ordersByOrganizations": found})


def webhook_settings(service: Service, body: Body) -> Answer:
    """Say where webhooks of an organization go."""
    organization = _organization(service, required_text(body, "organizationId"))
    webhook = service.signals.webhooks.get(organization.position, Webhook())
    return _answer(
        {
            "apiLoginName": "simulated",
            "webHooksUri": webhook.uri,
            "authToken": webhook.token,
            "webHooksFilter": webhook.filter,
        }
    )


def webhook_update(service: Service, body: Body) -> Answer:
    """Set where webhooks of an organization go, and which: what is not in the filter is not sent."""
    organization = _organization(service, required_text(body, "organizationId"))
    chosen = body.get("webHooksFilter")
    if chosen is not None and not isinstance(chosen, dict):
        return transport_error(400, "Field 'webHooksFilter' must be an object")
    service.signals.webhooks[organization.position] = Webhook(
        required_text(body, "webHooksUri"), optional_text(body, "authToken"), dict(chosen or {})
    )
    return _answer({})


def _organization(service: Service, organization_id: str) -> Organization:
    organization = service.world.organizations.get(organization_id.lower())
    if organization is None:
        raise BadRequestError(transport_error(400, "There is no such organization"))
    return organization


def _local(body: Body, field: str) -> datetime:
    text = required_text(body, field)
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=RESTAURANT_TIME)
    except ValueError:
        raise BadRequestError(transport_error(400, f"Field '{field}' must be yyyy-MM-dd HH:mm:ss.fff")) from None


def _created(order: Order) -> datetime:
    return datetime.fromtimestamp(order.created_ms / 1000, UTC)


def _too_much() -> Answer:
    return transport_error(422, "Too many data requested", "TOO_MANY_DATA_REQUESTED")


def _answer(fields: dict[str, object]) -> Answer:
    return Answer(200, encode({"correlationId": correlation_id()} | fields))


ORDERS: Final = (
    Operation(name="orders_by_revision", paths=("/api/1/deliveries/by_revision",), answer=orders_by_revision),
    Operation(name="orders_by_date", paths=("/api/1/deliveries/by_delivery_date_and_status",), answer=orders_by_date),
    Operation(name="webhook_settings", paths=("/api/1/webhooks/settings",), answer=webhook_settings),
    Operation(name="webhook_update", paths=("/api/1/webhooks/update_settings",), answer=webhook_update),
)
