"""Questions that both dialects put alike."""

from __future__ import annotations

from decimal import Decimal

from syrve.api.dialects.base import Body, without_nulls


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
