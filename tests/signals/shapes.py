"""What senders send, as independent public integrations receive it (facts, sections 4.11 and 8); every value is made up."""

import uuid
from typing import Any

ONE, TWO = "2e000000-0000-4000-8000-000000000001", "2e000000-0000-4000-8000-000000000002"
CUSTOMER = "2c000000-0000-4000-8000-000000000001"
ORDER = "2d000000-0000-4000-8000-000000000001"
WALLET = "2b000000-0000-4000-8000-000000000001"
PHONE = "+79750000042"


def new_id() -> str:
    return str(uuid.uuid4())


def order_event(
    organization_id: str = ONE, *, status: str = "Closed", event_type: str = "DeliveryOrderUpdate", **changes: Any
) -> dict[str, Any]:
    """An order event as the live service sends it, with what must not be kept in it."""
    order = {
        "customer": {"type": "regular", "id": CUSTOMER, "name": "Canaryname", "surname": "Canarysurname"},
        "phone": PHONE,
        "status": status,
        "deliveryPoint": {"address": {"street": {"name": "Canarystreet"}}, "comment": "Canarycomment"},
        "sum": 900.5,
        "number": 4711,
        "payments": [
            {"paymentType": {"id": new_id(), "name": "Bonus", "kind": "LoyaltyCard"}, "sum": 120.35},
            {"paymentType": {"id": new_id(), "name": "Cash", "kind": "Cash"}, "sum": 780.15},
        ],
    }
    return {
        "eventType": event_type,
        "eventTime": "2025-11-28 09:00:00.123",
        "organizationId": organization_id,
        "correlationId": new_id(),
        "eventInfo": {
            "id": ORDER,
            "externalNumber": "SITE-7",
            "organizationId": organization_id,
            "timestamp": 1764320400123,
            "creationStatus": "Success",
            "errorInfo": None,
            "order": order | changes,
        },
    }


def balance_notification(organization_id: str = ONE, password: str | None = None, **changes: Any) -> dict[str, Any]:
    """A notification of a balance: one object per POST, the secret in the body."""
    return {
        "id": new_id(),
        "customerId": CUSTOMER,
        "phone": PHONE,
        "organizationId": organization_id,
        "uocId": new_id(),
        "walletId": WALLET,
        "sum": 50,
        "balance": 170.35,
        "transactionType": "RefillWalletFromOrder",
        "notificationType": 1,
        "orderId": ORDER,
        "orderNumber": "4711",
        "isDelivery": True,
        "terminalGroupId": None,
        "changedOn": "2025-11-28T09:00:01.000Z",
        "subscriptionPassword": password,
    } | changes
