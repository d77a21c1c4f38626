"""The assets that the DAGs publish: one a table, named like the table."""

from __future__ import annotations

from airflow.sdk import Asset


def table_asset(name: str) -> Asset:
    """Return the asset of a warehouse table, such as `syrve.customer`."""
    schema, _, table = name.partition(".")
    return Asset(name=name, uri=f"syrve://warehouse/{schema}/{table}", group="syrve")


ORGANIZATION = table_asset("syrve.organization")
CUSTOMER = table_asset("syrve.customer")
WALLET_BALANCE = table_asset("syrve.wallet_balance")
CARD = table_asset("syrve.card")
CUSTOMER_CATEGORY = table_asset("syrve.customer_category")
COUPON_SERIES = table_asset("syrve.coupon_series")
COUPON = table_asset("syrve.coupon")
ROSTER = table_asset("sync.roster")
CRM_CUSTOMER = table_asset("crm.customer")
CRM_PUSH = table_asset("crm.push")
OPERATION = table_asset("wallet.operation")
PAYMENT_ORDER = table_asset("wallet.payment_order")
FINDING = table_asset("wallet.finding")
