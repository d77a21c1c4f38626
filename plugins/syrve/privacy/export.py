"""Hands out what the warehouse holds about a person, for a request of access."""

from __future__ import annotations

import json
from typing import Any

from syrve.privacy.errors import UnusableRequest
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql


def export_customer(warehouse: Warehouse, organization_id: str, customer_id: str) -> dict[str, Any]:
    """Return all rows about a customer by table, as plain JSON values; money and times are texts.

    Raises `UnusableRequest` if nothing is held, and `WarehouseError`.
    """
    values = {"organization_id": organization_id, "customer_id": customer_id}
    with warehouse.transaction("export a customer") as cursor:
        cursor.execute(sql("privacy/tables.sql"))
        tables = cursor.fetchall()
        found: dict[str, list[Any]] = {}
        for name, condition in tables:
            # Names and conditions come from the catalogue and from privacy/tables.sql, never from a person.
            cursor.execute(f"select to_jsonb(held)::text from {name} as held where {condition}", values)  # noqa: S608
            rows = [json.loads(text, parse_float=str) for (text,) in cursor.fetchall()]
            if rows:
                found[name] = rows
    if not found:
        raise UnusableRequest("export a customer: the warehouse holds nothing about this customer of this organization")
    return found
