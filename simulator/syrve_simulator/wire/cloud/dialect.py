"""The table of the `cloud` dialect."""

from __future__ import annotations

from typing import Final

from syrve_simulator.jsontext import encode
from syrve_simulator.wire import membership
from syrve_simulator.wire.cloud.coupons import coupon_info, coupon_series, coupons_by_series, read_coupon_series
from syrve_simulator.wire.cloud.customers import (
    LOOKUP_FIELDS,
    apply_fields,
    create_or_update,
    delete_customers,
    encode_customer,
    restore_customers,
)
from syrve_simulator.wire.cloud.dictionaries import category_list, program_list
from syrve_simulator.wire.cloud.orders import ORDERS
from syrve_simulator.wire.cloud.transactions import transactions_by_date, transactions_by_revision
from syrve_simulator.wire.contract import Dialect
from syrve_simulator.wire.loyalty import lookup_operation, loyalty_operation
from syrve_simulator.wire.transport import ACCESS_TOKEN_V2, TRANSPORT
from syrve_simulator.wire.wallet import wallet_operations

CLOUD: Final = Dialect(
    name="cloud",
    operations=(
        *TRANSPORT,
        ACCESS_TOKEN_V2,
        lookup_operation(LOOKUP_FIELDS),
        loyalty_operation(
            "create_or_update",
            "customer/create_or_update",
            create_or_update,
            encode,
            lambda body: body.get("id") or body.get("phone") or body.get("cardTrack"),
        ),
        loyalty_operation("delete_customers", "delete_customers", delete_customers, encode, lambda _body: None),
        loyalty_operation("restore_customers", "restore_customers", restore_customers, encode, lambda _body: None),
        loyalty_operation("program_add", "customer/program/add", membership.program_add, encode),
        loyalty_operation("card_add", "customer/card/add", membership.card_add, encode),
        loyalty_operation("card_remove", "customer/card/remove", membership.card_remove, encode),
        loyalty_operation("category_add", "customer_category/add", membership.category_add, encode),
        loyalty_operation("category_remove", "customer_category/remove", membership.category_remove, encode),
        loyalty_operation("category_list", "customer_category", category_list, encode, lambda _body: None),
        loyalty_operation("program_list", "program", program_list, encode, lambda _body: None),
        *wallet_operations(encode, caller_names_hold=True),
        loyalty_operation("coupon_info", "coupons/info", coupon_info, encode, lambda body: body.get("number")),
        loyalty_operation("coupon_series", "coupons/series", coupon_series, encode, lambda _body: None),
        loyalty_operation(
            "coupons_by_series", "coupons/by_series", coupons_by_series, encode, lambda body: body.get("series")
        ),
        loyalty_operation("transactions_by_date", "customer/transactions/by_date", transactions_by_date, encode),
        loyalty_operation(
            "transactions_by_revision", "customer/transactions/by_revision", transactions_by_revision, encode
        ),
        *ORDERS,
    ),
    encode_customer=encode_customer,
    apply_fields=apply_fields,
    read_coupon_series=read_coupon_series,
    lookup_fields=LOOKUP_FIELDS,
    with_history=True,
)
