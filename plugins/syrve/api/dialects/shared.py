"""What both dialects have alike: paths and bodies. `{segment}` in a path is the brand (`iiko` or `syrve`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from syrve.api.dialects.base import Body, without_nulls

LOYALTY: Final = "/api/1/loyalty/{segment}"
CUSTOMER: Final = f"{LOYALTY}/customer"

PATHS: Final[dict[str, str]] = {
    "access_token": "/api/1/access_token",
    "organizations": "/api/1/organizations",
    "customer_info": f"{CUSTOMER}/info",
    "create_or_update": f"{CUSTOMER}/create_or_update",
    "program_add": f"{CUSTOMER}/program/add",
    "card_add": f"{CUSTOMER}/card/add",
    "card_remove": f"{CUSTOMER}/card/remove",
    "wallet_hold": f"{CUSTOMER}/wallet/hold",
    "wallet_cancel_hold": f"{CUSTOMER}/wallet/cancel_hold",
    "wallet_topup": f"{CUSTOMER}/wallet/topup",
    "wallet_chargeoff": f"{CUSTOMER}/wallet/chargeoff",
    "coupon_info": f"{LOYALTY}/coupons/info",
    "coupon_series": f"{LOYALTY}/coupons/series",
}


def access_token(api_login: str) -> Body:
    """Ask for a token (v1)."""
    return {"apiLogin": api_login}


def organizations() -> Body:
    """Ask for the organizations of the login."""
    return {}


def program_add(organization_id: str, customer_id: str, program_id: str) -> Body:
    """Put a customer into a programme."""
    return {"organizationId": organization_id, "customerId": customer_id, "programId": program_id}


def card_add(organization_id: str, customer_id: str, track: str, number: str) -> Body:
    """Give a customer a card."""
    return {"organizationId": organization_id, "customerId": customer_id, "cardTrack": track, "cardNumber": number}


def card_remove(organization_id: str, customer_id: str, track: str) -> Body:
    """Take a card from a customer."""
    return {"organizationId": organization_id, "customerId": customer_id, "cardTrack": track}


def category(organization_id: str, customer_id: str, category_id: str) -> Body:
    """Put a customer into a category, or take them out."""
    return {"organizationId": organization_id, "customerId": customer_id, "categoryId": category_id}


def wallet_cancel_hold(organization_id: str, hold_id: str) -> Body:
    """Cancel a hold."""
    return {"organizationId": organization_id, "transactionId": hold_id}


def wallet_move(organization_id: str, customer_id: str, wallet_id: str, amount: Decimal, comment: str | None) -> Body:
    """Move money: top up, charge off or hold."""
    fields = {
        "organizationId": organization_id,
        "customerId": customer_id,
        "walletId": wallet_id,
        "sum": amount,
        "comment": comment,
    }
    return without_nulls(fields)


def coupon_info(organization_id: str, number: str) -> Body:
    """Ask for the coupons of a number."""
    return {"organizationId": organization_id, "number": number}
