"""The transactions of one customer, by date and by revision."""

from __future__ import annotations

from datetime import datetime

from syrve_simulator.ledger import Transaction
from syrve_simulator.model import Organization
from syrve_simulator.wire.cloud.times import read_utc, wire_moment
from syrve_simulator.wire.contract import BadRequestError, Body, Service
from syrve_simulator.wire.errors import transport_error
from syrve_simulator.wire.reading import (
    optional_text,
    organization_with_loyalty,
    required_text,
    required_uuid,
    whole_number,
)


def transactions_by_date(service: Service, body: Body) -> dict[str, object]:
    """List a page of what happened to a customer's money in a stretch of time, both ends included; nothing for an unknown customer."""
    organization, found = _transactions(service, body)
    first, last = _time(body, "dateFrom"), _time(body, "dateTo")
    page_size = service.behaviour.page_size(whole_number(body, "pageSize", 1))
    page_number = whole_number(body, "pageNumber", 0)
    inside = _ordered(service, [one for one in found if first <= one.created_at <= last])
    page = inside[page_number * page_size : (page_number + 1) * page_size]
    return {
        "transactions": [_item(service, organization, one) for one in page],
        "pageSize": page_size,
        "pageNumber": page_number,
    }


def transactions_by_revision(service: Service, body: Body) -> dict[str, object]:
    """List what happened since a revision: after it, or from it on but after `lastTransactionId` where that is given."""
    organization, found = _transactions(service, body)
    page_size = service.behaviour.page_size(whole_number(body, "pageSize", 1))
    last_id = required_uuid(body, "lastTransactionId") if optional_text(body, "lastTransactionId") else None
    if last_id is not None and body.get("revision") is None:
        raise BadRequestError(transport_error(400, "Field 'lastTransactionId' needs field 'revision'"))
    revision = whole_number(body, "revision", 0, 0)
    since = [one for one in found if one.revision > revision or (last_id is not None and one.revision == revision)]
    since = [one for one in since if one.transaction_id != last_id][:page_size]
    last = max(since, key=lambda one: one.revision, default=None)
    return {
        "transactions": [_item(service, organization, one) for one in _ordered(service, since)],
        "lastRevision": last.revision if last else revision,
        "lastTransactionId": last.transaction_id if last else last_id,
        "pageSize": page_size,
    }


def _transactions(service: Service, body: Body) -> tuple[Organization, list[Transaction]]:
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    ordinal = service.world.resolve(organization, "id", required_uuid(body, "customerId"))
    ledger = service.bank.ledger
    return organization, [] if ordinal is None else ledger.visible(organization.position, ordinal)


def _time(body: Body, field: str) -> datetime:
    try:
        return read_utc(required_text(body, field))
    except ValueError:
        raise BadRequestError(transport_error(400, f"Field '{field}' must be yyyy-MM-dd HH:mm:ss.fff")) from None


def _ordered(service: Service, transactions: list[Transaction]) -> list[Transaction]:
    order = service.behaviour.transactions_order
    if order == "none":
        return sorted(transactions, key=lambda one: one.transaction_id)
    return transactions if order == "ascending" else transactions[::-1]


def _item(service: Service, organization: Organization, one: Transaction) -> dict[str, object]:
    created_at = wire_moment(one.created_at)
    return {
        "id": one.transaction_id,
        "revision": one.revision,
        "organizationId": organization.organization_id,
        "type": one.type,
        "typeName": one.type_name,
        "sum": abs(one.sum) if service.behaviour.transaction_sums == "absolute" else one.sum,
        "balanceBefore": one.balance_before,
        "balanceAfter": one.balance_after,
        "posBalanceBefore": None,
        "walletId": one.account.wallet_id,
        "programId": one.program_id,
        "marketingCampaignId": None,
        "comment": one.comment,
        "apiClientLogin": one.made_by,
        "loyaltyUser": None,
        "whenCreated": created_at,
        "whenCreatedOrder": created_at if one.order_id else None,
        "orderNumber": one.order_number,
        "orderSum": one.order_sum,
        "posOrderId": one.order_id,
        "terminalGroupId": None,
        "isDelivery": None,
        "isIgnored": False,
        "blockReason": None,
        "nominal": None,
        "counteragent": None,
        "counteragentType": None,
        "counteragentTypeName": None,
        "emitentName": None,
        "certificate": None,
        "coupon": None,
    }
