"""Hands out what the warehouse holds about a person, for a request of access."""

from __future__ import annotations

import json
from typing import Any

from syrve.privacy.errors import UnusableRequest
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

_PERSON = "select same.id from privacy.same_person(%(organization_id)s::uuid, %(customer_id)s::uuid) as same (id)"
_OWN = f"where moved.organization_id = %(organization_id)s::uuid and moved.customer_id in ({_PERSON}))"
_MINE = (
    f"held.organization_id = %(organization_id)s::uuid and exists (select from ({_PERSON}) as person, "
    "privacy.identities_of(%(organization_id)s::uuid, person.id, null) as mine (kind, value) where "
)
_CONDITIONS = {
    "customer_id": f"held.organization_id = %(organization_id)s::uuid and held.customer_id in ({_PERSON})",
    "crm_id": f"held.crm_id in (select rows.crm_id from ({_PERSON}) as person, "  # noqa: S608
    "privacy.crm_ids_of(%(organization_id)s::uuid, person.id, null) as rows (crm_id))",
    "wallet.operation_event": f"held.operation_id in (select moved.operation_id from wallet.operation as moved {_OWN}",  # noqa: S608
    "wallet.operation_look": f"held.operation_id in (select moved.operation_id from wallet.operation as moved {_OWN}",  # noqa: S608
    "wallet.payment_event": f"held.payment_id in (select moved.payment_id from wallet.payment as moved {_OWN}",  # noqa: S608
    "wallet.finding_version": f"held.finding_id in (select moved.finding_id from wallet.finding as moved {_OWN}",  # noqa: S608
    "wallet.release_event": f"held.release_id in (select moved.release_id from wallet.release as moved {_OWN}",  # noqa: S608
    "wallet.contested_ending": f"held.reported_customer_id in ({_PERSON}) or held.hold_id in "  # noqa: S608
    f"(select moved.hold_id from wallet.hold as moved {_OWN}",
    "order_id": "held.organization_id = %(organization_id)s::uuid and held.order_id in "  # noqa: S608
    f"(select moved.order_id from wallet.operation as moved {_OWN}",
    "sync.audit": f"exists (select from ({_PERSON}) as person where strpos(held.subject::text, person.id::text) > 0)",
    "sync.reject": f"{_MINE}strpos(lower(concat_ws(' ', held.identity, held.payload)), lower(mine.value)) > 0)",
    "sync.signal": f"{_MINE}(mine.kind = 'id' and held.customer_id::text = mine.value) "
    "or (mine.kind = 'phone' and held.phone = mine.value) or (held.identity_kind, held.identity_value) = (mine.kind, mine.value))",
    "syrve.coupon": f"{_MINE}strpos(lower(held.activated_by), lower(mine.value)) > 0 "
    "or (mine.kind = 'phone' and privacy.is_written_as(mine.value, held.activated_by)))",
}
"""How rows of a person are found; a person has several ids where Syrve merged customers."""


def export_customer(warehouse: Warehouse, organization_id: str, customer_id: str) -> dict[str, Any]:
    """Return all rows about a person by table, also of customers whom Syrve merged, as plain JSON values; money and times are texts.

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
