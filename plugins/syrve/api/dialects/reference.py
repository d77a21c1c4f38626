"""The API as the reference document has it."""

from __future__ import annotations

from typing import Any

from syrve.api.dialects.base import Body, Dialect
from syrve.api.models import CustomerChange, Lookup

_SEX_WORDS = {"male": "Male", "female": "Female", "not_specified": "NotSpecified"}


def _access_token(api_login: str) -> Body:
    return {"apiLogin": api_login}


def _organizations() -> Body:
    return {}


def _customer_info(lookup: Lookup) -> Body:
    body: dict[str, Any] = {"organizationId": lookup.organization_id, "type": lookup.kind}
    if lookup.kind == "card":
        return body | {"cardTrack": lookup.value, "cardNumber": lookup.value}
    return body | {lookup.kind: lookup.value}


def _create_or_update(organization_id: str, change: CustomerChange) -> Body:
    fields = {
        "id": change.customer_id,
        "phone": change.phone,
        "cardTrack": change.card_track,
        "cardNumber": change.card_number,
        "name": change.name,
        "surname": change.surname,
        "middleName": change.middle_name,
        "email": change.email,
        "birthday": change.birthday.isoformat() if change.birthday else None,
        "sex": _SEX_WORDS[change.sex] if change.sex else None,
        "shouldReceiveOrderStatusNotifications": change.receives_order_status,
        "shouldReceivePromoActionsInfo": change.receives_promo,
    }
    return {"organizationId": organization_id} | {name: value for name, value in fields.items() if value is not None}


def _coupon_info(organization_id: str, number: str) -> Body:
    return {"organizationId": organization_id, "number": number}


def _coupon_series(organization_id: str) -> Body:
    return {"organizationIds": [organization_id]}


REFERENCE = Dialect(
    name="reference",
    access_token=_access_token,
    organizations=_organizations,
    customer_info=_customer_info,
    create_or_update=_create_or_update,
    coupon_info=_coupon_info,
    coupon_series=_coupon_series,
)
