"""The assets that the DAGs publish: one alias per table, named like the table; the asset is named by the warehouse that a task wrote to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Context
    from sqlalchemy import URL

GROUP = "syrve"
_DEFAULT_PORT = 5432


def table_asset(name: str) -> AssetAlias:
    """Return the alias of a warehouse table, such as `syrve.customer`: DAGs may be scheduled by it, on any warehouse."""
    return AssetAlias(name=name, group=GROUP)


def table_uri(url: URL, table: str) -> str:
    """Return `postgres://host:port/database/schema/table`, in the form that Airflow's Postgres provider has for it.

    A Unix socket's folder stands for the host, escaped as in a connection URI of Postgres. User and password are never part of it.
    """
    schema, _, name = table.partition(".")
    host = url.host or _first(url.query.get("host")) or "localhost"
    port = url.port or _first(url.query.get("port")) or _DEFAULT_PORT
    path = "/".join(quote(part or "", safe="") for part in (url.database, schema, name))
    return f"postgres://{quote(host, safe='')}:{port}/{path}"


def warehouse_asset(url: URL, table: str) -> Asset:
    """Return the asset of a table of one warehouse."""
    return Asset(uri=table_uri(url, table), group=GROUP)


def lineage_dataset(url: URL, table: str) -> Dataset:
    """Return the OpenLineage dataset of a table, named as Airflow's Postgres provider names it.

    It is made of the URI, not of the asset: for that Airflow loads what every installed provider has for URIs, boto3 too, in each task.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(table_uri(url, table))
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/").replace("/", "."))


def publish(
    context: Context, outlets: Iterable[object], url: URL, tables: Collection[str], extra: Mapping[str, Any]
) -> list[str]:
    """Add an event to each outlet whose table changed and return the tables; `extra` holds counts and no data."""
    published = []
    for outlet in outlets:
        if isinstance(outlet, AssetAlias) and outlet.name in tables:
            context["outlet_events"][outlet].add(warehouse_asset(url, outlet.name), extra=dict(extra))
            published.append(outlet.name)
    return published


def _first(given: str | tuple[str, ...] | None) -> str | None:
    return given[0] if isinstance(given, tuple) and given else given if isinstance(given, str) else None


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
