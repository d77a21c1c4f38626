"""The endpoint table: what each operation is called, which budget and right it needs, and whether it may be repeated.

Every call to Syrve is a POST, so the HTTP verb says nothing about safety; this table does, and the protocol follows it. The paths and the
encoders of the bodies are in `dialects/`, by the same operation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Safety(StrEnum):
    """Whether a call may be sent again when its outcome is not known."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    MONEY = "money"


class Family(StrEnum):
    """Operations that share one budget of calls per minute."""

    AUTH = "auth"
    DICTIONARY = "dictionary"
    CUSTOMER = "customer"
    WALLET = "wallet"
    COUPON = "coupon"
    TRANSACTIONS = "transactions"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One row; `right` is what the login needs. A row is equal to itself only, which makes it a cheap key."""

    operation: str
    family: Family
    safety: Safety
    right: str
    not_found_is_normal: bool = False


_INFO, _CREATING, _CHANGING = "Guests: info", "Guests: creating", "Guests: changing"
_WALLETS, _COUPONS, _DICTIONARIES = "Loyalty: wallets", "Loyalty: coupons", "Loyalty: dictionaries"
_ORDERS, _WEBHOOKS = "Orders: receiving by revision", "Organizations: settings"
ACCESS_TOKEN = Endpoint("access_token", Family.AUTH, Safety.READ, "")
ACCESS_TOKEN_V2 = Endpoint("access_token_v2", Family.AUTH, Safety.READ, "")
ORGANIZATIONS = Endpoint("organizations", Family.DICTIONARY, Safety.READ, "Data: dictionaries")
CUSTOMER_INFO = Endpoint("customer_info", Family.CUSTOMER, Safety.READ, _INFO, not_found_is_normal=True)
CREATE_OR_UPDATE = Endpoint("create_or_update", Family.CUSTOMER, Safety.IDEMPOTENT, _CREATING)
DELETE_CUSTOMERS = Endpoint("delete_customers", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
RESTORE_CUSTOMERS = Endpoint("restore_customers", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
PROGRAM_ADD = Endpoint("program_add", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
CARD_ADD = Endpoint("card_add", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
CARD_REMOVE = Endpoint("card_remove", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
CATEGORY_ADD = Endpoint("category_add", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
CATEGORY_REMOVE = Endpoint("category_remove", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING)
CATEGORY_LIST = Endpoint("category_list", Family.DICTIONARY, Safety.READ, _DICTIONARIES)
PROGRAM_LIST = Endpoint("program_list", Family.DICTIONARY, Safety.READ, _DICTIONARIES)
WALLET_HOLD = Endpoint("wallet_hold", Family.WALLET, Safety.MONEY, _WALLETS)
WALLET_CANCEL_HOLD = Endpoint("wallet_cancel_hold", Family.WALLET, Safety.MONEY, _WALLETS)
WALLET_TOPUP = Endpoint("wallet_topup", Family.WALLET, Safety.MONEY, _WALLETS)
WALLET_CHARGEOFF = Endpoint("wallet_chargeoff", Family.WALLET, Safety.MONEY, _WALLETS)
COUPON_INFO = Endpoint("coupon_info", Family.COUPON, Safety.READ, _COUPONS, not_found_is_normal=True)
COUPON_SERIES = Endpoint("coupon_series", Family.COUPON, Safety.READ, _COUPONS)
COUPONS_BY_SERIES = Endpoint("coupons_by_series", Family.COUPON, Safety.READ, _COUPONS)
TRANSACTIONS_BY_DATE = Endpoint("transactions_by_date", Family.TRANSACTIONS, Safety.READ, _INFO)
TRANSACTIONS_BY_REVISION = Endpoint("transactions_by_revision", Family.TRANSACTIONS, Safety.READ, _INFO)
ORDERS_BY_REVISION = Endpoint("orders_by_revision", Family.ORDERS, Safety.READ, _ORDERS)
ORDERS_BY_DATE = Endpoint("orders_by_date", Family.ORDERS, Safety.READ, _ORDERS)
WEBHOOK_SETTINGS = Endpoint("webhook_settings", Family.DICTIONARY, Safety.READ, _WEBHOOKS)
WEBHOOK_UPDATE = Endpoint("webhook_update", Family.DICTIONARY, Safety.IDEMPOTENT, _WEBHOOKS)

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.operation: endpoint
    for endpoint in (
        ACCESS_TOKEN,
        ACCESS_TOKEN_V2,
        ORGANIZATIONS,
        CUSTOMER_INFO,
        CREATE_OR_UPDATE,
        DELETE_CUSTOMERS,
        RESTORE_CUSTOMERS,
        PROGRAM_ADD,
        CARD_ADD,
        CARD_REMOVE,
        CATEGORY_ADD,
        CATEGORY_REMOVE,
        CATEGORY_LIST,
        PROGRAM_LIST,
        WALLET_HOLD,
        WALLET_CANCEL_HOLD,
        WALLET_TOPUP,
        WALLET_CHARGEOFF,
        COUPON_INFO,
        COUPON_SERIES,
        COUPONS_BY_SERIES,
        TRANSACTIONS_BY_DATE,
        TRANSACTIONS_BY_REVISION,
        ORDERS_BY_REVISION,
        ORDERS_BY_DATE,
        WEBHOOK_SETTINGS,
        WEBHOOK_UPDATE,
    )
}
