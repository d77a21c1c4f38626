"""The endpoint table: what each operation is called, where each dialect has it, and whether it may be repeated.

Every call to Syrve is a POST, so the HTTP verb says nothing about safety; this table does, and the protocol follows it. A path of None
means that the dialect has no such operation. The encoders of the bodies are in `dialects/`, by the same operation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from syrve.api.errors import UnsupportedByDialect

DialectName = Literal["reference", "cloud"]


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


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One row: paths by dialect, with `{segment}` where the brand (`iiko` or `syrve`) stands; `right` is what the login needs.

    A row is equal to itself only, which makes it a cheap key.
    """

    operation: str
    family: Family
    safety: Safety
    right: str
    reference: str | None
    cloud: str | None
    not_found_is_normal: bool = False

    def path(self, dialect: str) -> str:
        """Return the path under a dialect; raise `UnsupportedByDialect` where it has none."""
        path = self.cloud if dialect == "cloud" else self.reference
        if path is None:
            raise unsupported(self.operation, dialect)
        return path


def unsupported(what: str, dialect: str) -> UnsupportedByDialect:
    """Return the error for something that a dialect does not have."""
    return UnsupportedByDialect(
        f"the dialect {dialect!r} does not offer this; set dialect of the connection to the other one if the service does",
        operation=what,
    )


_INFO, _CREATING, _CHANGING = "Guests: info", "Guests: creating", "Guests: changing"
_WALLETS, _COUPONS, _DICTIONARIES = "Loyalty: wallets", "Loyalty: coupons", "Loyalty: dictionaries"
_LOYALTY = "/api/1/loyalty/{segment}"
_CUSTOMER = f"{_LOYALTY}/customer"


def _both(
    operation: str, family: Family, safety: Safety, right: str, path: str, *, not_found_is_normal: bool = False
) -> Endpoint:
    return Endpoint(operation, family, safety, right, path, path, not_found_is_normal)


def _cloud(
    operation: str, family: Family, safety: Safety, right: str, path: str, *, not_found_is_normal: bool = False
) -> Endpoint:
    return Endpoint(operation, family, safety, right, None, path, not_found_is_normal)


ACCESS_TOKEN = _both("access_token", Family.AUTH, Safety.READ, "", "/api/1/access_token")
ACCESS_TOKEN_V2 = _cloud("access_token_v2", Family.AUTH, Safety.READ, "", "/api/v2/access_token")
ORGANIZATIONS = _both("organizations", Family.DICTIONARY, Safety.READ, "Data: dictionaries", "/api/1/organizations")
CUSTOMER_INFO = _both(
    "customer_info", Family.CUSTOMER, Safety.READ, _INFO, f"{_CUSTOMER}/info", not_found_is_normal=True
)
CREATE_OR_UPDATE = _both(
    "create_or_update", Family.CUSTOMER, Safety.IDEMPOTENT, _CREATING, f"{_CUSTOMER}/create_or_update"
)
DELETE_CUSTOMERS = _cloud(
    "delete_customers", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_LOYALTY}/delete_customers"
)
RESTORE_CUSTOMERS = _cloud(
    "restore_customers", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_LOYALTY}/restore_customers"
)
PROGRAM_ADD = _both("program_add", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_CUSTOMER}/program/add")
CARD_ADD = _both("card_add", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_CUSTOMER}/card/add")
CARD_REMOVE = _both("card_remove", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_CUSTOMER}/card/remove")
CATEGORY_ADD = Endpoint(
    "category_add",
    Family.CUSTOMER,
    Safety.IDEMPOTENT,
    _CHANGING,
    reference=f"{_CUSTOMER}/category/add",
    cloud=f"{_LOYALTY}/customer_category/add",
)
CATEGORY_REMOVE = _cloud(
    "category_remove", Family.CUSTOMER, Safety.IDEMPOTENT, _CHANGING, f"{_LOYALTY}/customer_category/remove"
)
CATEGORY_LIST = _cloud("category_list", Family.DICTIONARY, Safety.READ, _DICTIONARIES, f"{_LOYALTY}/customer_category")
PROGRAM_LIST = _cloud("program_list", Family.DICTIONARY, Safety.READ, _DICTIONARIES, f"{_LOYALTY}/program")
WALLET_HOLD = _both("wallet_hold", Family.WALLET, Safety.MONEY, _WALLETS, f"{_CUSTOMER}/wallet/hold")
WALLET_CANCEL_HOLD = _both(
    "wallet_cancel_hold", Family.WALLET, Safety.MONEY, _WALLETS, f"{_CUSTOMER}/wallet/cancel_hold"
)
WALLET_TOPUP = _both("wallet_topup", Family.WALLET, Safety.MONEY, _WALLETS, f"{_CUSTOMER}/wallet/topup")
WALLET_CHARGEOFF = _both("wallet_chargeoff", Family.WALLET, Safety.MONEY, _WALLETS, f"{_CUSTOMER}/wallet/chargeoff")
COUPON_INFO = _both(
    "coupon_info", Family.COUPON, Safety.READ, _COUPONS, f"{_LOYALTY}/coupons/info", not_found_is_normal=True
)
COUPON_SERIES = _both("coupon_series", Family.COUPON, Safety.READ, _COUPONS, f"{_LOYALTY}/coupons/series")
COUPONS_BY_SERIES = _cloud("coupons_by_series", Family.COUPON, Safety.READ, _COUPONS, f"{_LOYALTY}/coupons/by_series")
TRANSACTIONS_BY_DATE = _cloud(
    "transactions_by_date", Family.TRANSACTIONS, Safety.READ, _INFO, f"{_CUSTOMER}/transactions/by_date"
)
TRANSACTIONS_BY_REVISION = _cloud(
    "transactions_by_revision", Family.TRANSACTIONS, Safety.READ, _INFO, f"{_CUSTOMER}/transactions/by_revision"
)

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
    )
}
