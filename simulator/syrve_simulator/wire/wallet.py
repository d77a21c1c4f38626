"""Wallet operations, the same in both dialects but for who names a hold."""

from __future__ import annotations

from syrve_simulator.wire.contract import Body, Envelope, Operation, Service
from syrve_simulator.wire.loyalty import loyalty_operation
from syrve_simulator.wire.reading import (
    member,
    optional_text,
    organization_with_loyalty,
    required_sum,
    required_text,
    required_uuid,
)


def wallet_operations(envelope: Envelope, *, caller_names_hold: bool) -> tuple[Operation, ...]:
    """Make the four rows; unless `caller_names_hold`, a transactionId in the request of a hold is not looked at."""

    def hold(service: Service, body: Body) -> dict[str, object]:
        organization, ordinal = member(service, body)
        given = caller_names_hold and optional_text(body, "transactionId") is not None
        hold_id = service.bank.hold(
            organization,
            ordinal,
            required_text(body, "walletId"),
            required_sum(body),
            comment=optional_text(body, "comment"),
            hold_id=required_uuid(body, "transactionId") if given else None,
        )
        return {"transactionId": hold_id}

    return (
        loyalty_operation("wallet_hold", "customer/wallet/hold", hold, envelope),
        loyalty_operation(
            "wallet_cancel_hold",
            "customer/wallet/cancel_hold",
            cancel_hold,
            envelope,
            lambda body: body.get("transactionId"),
        ),
        loyalty_operation("wallet_topup", "customer/wallet/topup", top_up, envelope),
        loyalty_operation("wallet_chargeoff", "customer/wallet/chargeoff", charge_off, envelope),
    )


def cancel_hold(service: Service, body: Body) -> dict[str, object]:
    """Give held money back."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    service.bank.cancel(organization, required_uuid(body, "transactionId"))
    return {}


def top_up(service: Service, body: Body) -> dict[str, object]:
    """Add to a wallet."""
    organization, ordinal = member(service, body)
    wallet_id, amount = required_text(body, "walletId"), required_sum(body)
    service.bank.top_up(organization, ordinal, wallet_id, amount, optional_text(body, "comment"))
    return {}


def charge_off(service: Service, body: Body) -> dict[str, object]:
    """Take from a wallet what is not held."""
    organization, ordinal = member(service, body)
    wallet_id, amount = required_text(body, "walletId"), required_sum(body)
    service.bank.charge_off(organization, ordinal, wallet_id, amount, optional_text(body, "comment"))
    return {}
