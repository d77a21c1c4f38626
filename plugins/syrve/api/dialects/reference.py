"""The API as the reference document has it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from syrve.api.dialects import shared
from syrve.api.dialects.base import Body, Capabilities, Dialect, unsupported, without_nulls
from syrve.api.models import CustomerChange, Lookup

_NAME = "reference"
_SEX_WORDS = {"male": "Male", "female": "Female", "not_specified": "NotSpecified"}


def _customer_info(lookup: Lookup) -> Body:
    if lookup.kind in ("card", "card_number"):  # one type: the document sends track and number alike
        card = {"type": "card", "cardTrack": lookup.value, "cardNumber": lookup.value}
        return {"organizationId": lookup.organization_id} | card
    body: dict[str, Any] = {"organizationId": lookup.organization_id, "type": lookup.kind}
    if lookup.kind == "email":
        raise unsupported("customer_info by e-mail", _NAME)
    return body | {lookup.kind: lookup.value}


def _create_or_update(organization_id: str, change: CustomerChange) -> Body:
    if change.clear:
        raise unsupported("create_or_update, clearing a field", _NAME)
    if change.receives_loyalty is not None or change.comment is not None:
        raise unsupported("create_or_update, receives_loyalty and comment", _NAME)
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
    return {"organizationId": organization_id} | without_nulls(fields)


def _hold(
    organization_id: str, customer_id: str, wallet_id: str, amount: Decimal, comment: str | None, hold_id: str | None
) -> Body:
    if hold_id is not None:
        raise unsupported("wallet_hold with a chosen id", _NAME)
    return shared.wallet_move(organization_id, customer_id, wallet_id, amount, comment)


def _coupon_series(organization_id: str) -> Body:
    return {"organizationIds": [organization_id]}


REFERENCE = Dialect(
    name=_NAME,
    capabilities=Capabilities(
        clears_fields=False,
        names_holds=False,
        removes_category=False,
        reports_orders=False,
        reports_transactions=False,
        sends_order_status=True,
        takes_app_tokens=False,
    ),
    paths=shared.PATHS
    | {
        "category_add": f"{shared.CUSTOMER}/category/add",
    },
    encoders={
        "access_token": shared.access_token,
        "organizations": shared.organizations,
        "customer_info": _customer_info,
        "create_or_update": _create_or_update,
        "program_add": shared.program_add,
        "card_add": shared.card_add,
        "card_remove": shared.card_remove,
        "category_add": shared.category,
        "wallet_hold": _hold,
        "wallet_cancel_hold": shared.wallet_cancel_hold,
        "wallet_topup": shared.wallet_move,
        "wallet_chargeoff": shared.wallet_move,
        "coupon_info": shared.coupon_info,
        "coupon_series": _coupon_series,
    },
)
