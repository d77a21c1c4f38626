"""The API as the live service has it (facts, sections 2 to 4 and 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from syrve.api.dialects import shared
from syrve.api.dialects.base import Body, Capabilities, Dialect, unsupported, without_nulls
from syrve.api.models import CustomerChange, Lookup

_NAME = "cloud"
_SEX_NUMBERS = {"not_specified": 0, "male": 1, "female": 2}
_LOOKUP_TYPES = {"phone": "phone", "id": "id", "card": "cardTrack", "card_number": "cardNumber", "email": "email"}
_CLEARABLE = {"name": "name", "surname": "surName", "middle_name": "middleName", "email": "email", "comment": "comment"}


def moment_text(moment: datetime) -> str:
    """Write a time in UTC in the live service's format: a space, three fraction digits, no zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _access_token_v2(api_key: str, app_id: str, client_secret: str) -> Body:
    return {"apiKey": api_key, "appId": app_id, "clientSecret": client_secret}


def _customer_info(lookup: Lookup) -> Body:
    kind = _LOOKUP_TYPES[lookup.kind]
    return {"organizationId": lookup.organization_id, "type": kind, kind: lookup.value}


def _create_or_update(organization_id: str, change: CustomerChange) -> Body:
    if change.receives_order_status is not None:
        raise unsupported("create_or_update, receives_order_status", _NAME)
    birthday = change.birthday.strftime("%Y-%m-%d 00:00:00.000") if change.birthday else None
    fields: dict[str, Any] = {
        "id": change.customer_id,
        "phone": change.phone,
        "cardTrack": change.card_track,
        "cardNumber": change.card_number,
        "name": change.name,
        "surName": change.surname,
        "middleName": change.middle_name,
        "email": change.email,
        "comment": change.comment,
        "birthday": birthday,
        "sex": _SEX_NUMBERS[change.sex] if change.sex else None,
        "shouldReceiveLoyaltyInfo": change.receives_loyalty,
        "shouldReceivePromoActionsInfo": change.receives_promo,
    }
    if change.clear:
        fields |= {_clearable(name): "" for name in change.clear} | {"nullifyEmptyFields": True}
    return {"organizationId": organization_id} | without_nulls(fields)


def _clearable(name: str) -> str:
    if name not in _CLEARABLE:
        raise unsupported(f"create_or_update, clearing {name}", _NAME)
    return _CLEARABLE[name]


def _hold(
    organization_id: str, customer_id: str, wallet_id: str, amount: Decimal, comment: str | None, hold_id: str | None
) -> Body:
    body = shared.wallet_move(organization_id, customer_id, wallet_id, amount, comment)
    return {**body, "transactionId": hold_id} if hold_id else body


def _of_organization(organization_id: str) -> Body:
    return {"organizationId": organization_id}


def _customers(organization_id: str, customer_ids: Sequence[str]) -> Body:
    return {"organizationId": organization_id, "customerIds": list(customer_ids)}


def _coupons_by_series(organization_id: str, series: str, page: int, page_size: int) -> Body:
    return {"organizationId": organization_id, "series": series, "page": page, "pageSize": page_size}


def _transactions_by_date(
    organization_id: str, customer_id: str, since: datetime, until: datetime, page: int, page_size: int
) -> Body:
    return {
        "organizationId": organization_id,
        "customerId": customer_id,
        "dateFrom": moment_text(since),
        "dateTo": moment_text(until),
        "pageNumber": page,
        "pageSize": page_size,
    }


def _transactions_by_revision(
    organization_id: str, customer_id: str, revision: int | None, last_transaction_id: str | None, page_size: int
) -> Body:
    fields = {
        "organizationId": organization_id,
        "customerId": customer_id,
        "pageSize": page_size,
        "revision": revision,
        "lastTransactionId": last_transaction_id,
    }
    return without_nulls(fields)


def _orders_by_revision(organization_id: str, revision: int) -> Body:
    return {"organizationIds": [organization_id], "startRevision": revision}


def _orders_by_date(organization_id: str, since: datetime, until: datetime) -> Body:
    """Ask for a window; its bounds are naive times of the restaurant's clock, as the service reads them."""
    return {
        "organizationIds": [organization_id],
        "deliveryDateFrom": _local_text(since),
        "deliveryDateTo": _local_text(until),
    }


def _local_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _webhook_update(
    organization_id: str, uri: str, secret: str | None, webhook_filter: Mapping[str, Any] | None
) -> Body:
    fields = {
        "organizationId": organization_id,
        "webHooksUri": uri,
        "authToken": secret,
        "webHooksFilter": webhook_filter,
    }
    return without_nulls(fields)


CLOUD = Dialect(
    name=_NAME,
    capabilities=Capabilities(
        clears_fields=True,
        names_holds=True,
        removes_category=True,
        reports_orders=True,
        reports_transactions=True,
        sends_order_status=False,
        takes_app_tokens=True,
    ),
    paths=shared.PATHS
    | {
        "access_token_v2": "/api/v2/access_token",
        "delete_customers": f"{shared.LOYALTY}/delete_customers",
        "restore_customers": f"{shared.LOYALTY}/restore_customers",
        "category_add": f"{shared.LOYALTY}/customer_category/add",
        "category_remove": f"{shared.LOYALTY}/customer_category/remove",
        "category_list": f"{shared.LOYALTY}/customer_category",
        "program_list": f"{shared.LOYALTY}/program",
        "coupons_by_series": f"{shared.LOYALTY}/coupons/by_series",
        "transactions_by_date": f"{shared.CUSTOMER}/transactions/by_date",
        "transactions_by_revision": f"{shared.CUSTOMER}/transactions/by_revision",
        "orders_by_revision": "/api/1/deliveries/by_revision",
        "orders_by_date": "/api/1/deliveries/by_delivery_date_and_status",
        "webhook_settings": "/api/1/webhooks/settings",
        "webhook_update": "/api/1/webhooks/update_settings",
    },
    encoders={
        "access_token": shared.access_token,
        "access_token_v2": _access_token_v2,
        "organizations": shared.organizations,
        "customer_info": _customer_info,
        "create_or_update": _create_or_update,
        "delete_customers": _customers,
        "restore_customers": _customers,
        "program_add": shared.program_add,
        "card_add": shared.card_add,
        "card_remove": shared.card_remove,
        "category_add": shared.category,
        "category_remove": shared.category,
        "category_list": _of_organization,
        "program_list": _of_organization,
        "wallet_hold": _hold,
        "wallet_cancel_hold": shared.wallet_cancel_hold,
        "wallet_topup": shared.wallet_move,
        "wallet_chargeoff": shared.wallet_move,
        "coupon_info": shared.coupon_info,
        "coupon_series": _of_organization,
        "coupons_by_series": _coupons_by_series,
        "transactions_by_date": _transactions_by_date,
        "transactions_by_revision": _transactions_by_revision,
        "orders_by_revision": _orders_by_revision,
        "orders_by_date": _orders_by_date,
        "webhook_settings": _of_organization,
        "webhook_update": _webhook_update,
    },
)
