"""Finds a customer, or creates one on their first order."""

from __future__ import annotations

from dataclasses import dataclass

from syrve.api.client import SyrveClient
from syrve.api.errors import NotFound
from syrve.api.models import CustomerChange


@dataclass(frozen=True, slots=True)
class EnsuredCustomer:
    """The customer's id, and whether the call created them."""

    customer_id: str
    created: bool


def ensure_customer(
    client: SyrveClient, organization_id: str, phone: str, *, name: str | None = None
) -> EnsuredCustomer:
    """Return the customer who has this phone (E.164), creating them where Syrve says that there is none.

    Only a real not-found creates: an outage, a refusal or an answer that cannot be read raises its `SyrveError`, so that no trouble of
    the service turns into a second profile. Reference document, Customer Sync on Order.
    """
    try:
        return EnsuredCustomer(client.customer_by_phone(organization_id, phone).customer_id, created=False)
    except NotFound:
        change = CustomerChange(phone=phone, name=name)
        return EnsuredCustomer(client.create_or_update(organization_id, change), created=True)
