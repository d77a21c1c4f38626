"""Hands out what the warehouse holds about a person, for a request of access."""

from __future__ import annotations

import json
from typing import Any

from syrve.privacy.errors import UnusableRequest
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

_CONDITIONS = {
    "customer_id": "held.organization_id = %(organization_id)s::uuid and held.customer_id = %(customer_id)s::uuid",
    "crm_id": "held.crm_id in (select privacy.crm_ids_of(%(organization_id)s::uuid, %(customer_id)s::uuid, null))",
    "wallet.operation_event": "held.operation_id in (select moved.operation_id from wallet.operation as moved "
    "where moved.organization_id = %(organization_id)s::uuid and moved.customer_id = %(customer_id)s::uuid)",
    "sync.audit": "held.subject::text like '%%' || %(customer_id)s || '%%'",
    "sync.reject": "held.organization_id = %(organization_id)s::uuid and exists ("
    "select from privacy.identities_of(%(organization_id)s::uuid, %(customer_id)s::uuid, null) as mine "
    "where strpos(lower(concat_ws(' ', held.identity, held.payload)), lower(mine.identity_value)) > 0)",
}


def export_customer(warehouse: Warehouse, organization_id: str, customer_id: str) -> dict[str, Any]:
    """Return all rows about a customer by table, as plain JSON values; money and times are texts.

    Raises `UnusableRequest` if nothing is held, and `WarehouseError`.
    """
    values = {"organization_id": organization_id, "customer_id": customer_id}
    with warehouse.transaction("export a customer") as cursor:
        cursor.execute(sql("privacy/tables.sql"))
        tables = cursor.fetchall()
        found: dict[str, list[Any]] = {}
        for name, found_by in tables:
            # The name comes from the catalogue, quoted there; never from a person.
            cursor.execute(f"select to_jsonb(held)::text from {name} as held where {_CONDITIONS[found_by]}", values)  # noqa: S608
            rows = [json.loads(text, parse_float=str) for (text,) in cursor.fetchall()]
            if rows:
                found[name] = rows
    if not found:
        raise UnusableRequest("export a customer: the warehouse holds nothing about this customer of this organization")
    return found
