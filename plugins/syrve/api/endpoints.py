"""The endpoint table: what each operation may be called, where it lives, and whether it may be repeated.

Every call to Syrve is a POST, so the HTTP verb says nothing about safety; this table does, and the protocol follows it.
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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: `path` is below `/api/1`, with `{segment}` where the brand (`iiko` or `syrve`) stands."""

    operation: str
    path: str
    family: Family
    safety: Safety
    right: str
    not_found_is_normal: bool = False


ACCESS_TOKEN = Endpoint("access_token", "/access_token", Family.AUTH, Safety.READ, right="")
ORGANIZATIONS = Endpoint("organizations", "/organizations", Family.DICTIONARY, Safety.READ, right="Data: dictionaries")
CUSTOMER_INFO = Endpoint(
    "customer_info",
    "/loyalty/{segment}/customer/info",
    Family.CUSTOMER,
    Safety.READ,
    right="Guests: info",
    not_found_is_normal=True,
)
CREATE_OR_UPDATE = Endpoint(
    "create_or_update",
    "/loyalty/{segment}/customer/create_or_update",
    Family.CUSTOMER,
    Safety.IDEMPOTENT,
    right="Guests: creating",
)
COUPON_INFO = Endpoint(
    "coupon_info",
    "/loyalty/{segment}/coupons/info",
    Family.COUPON,
    Safety.READ,
    right="Loyalty: coupons",
    not_found_is_normal=True,
)
COUPON_SERIES = Endpoint(
    "coupon_series", "/loyalty/{segment}/coupons/series", Family.COUPON, Safety.READ, right="Loyalty: coupons"
)

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.operation: endpoint
    for endpoint in (ACCESS_TOKEN, ORGANIZATIONS, CUSTOMER_INFO, CREATE_OR_UPDATE, COUPON_INFO, COUPON_SERIES)
}
