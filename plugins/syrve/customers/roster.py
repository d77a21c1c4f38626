"""Fills the roster: rows from the CRM, a file or a query become identities to look up.

Each row gives one identity, the strongest that it has: id, else phone, else card. What cannot be one is kept in `sync.reject`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pandas as pd

from syrve.customers.errors import UnusableSource
from syrve.customers.phones import to_e164
from syrve.values import storable_text
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Connection, Warehouse, fetch_one, transaction
from syrve.warehouse.runs import Counts, Reject, TaskKey, add_counts, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

COLUMNS = ("organization_id", "id", "phone", "card", "priority")
"""Columns that an import reads; any other is left alone. `customer_id` is read as `id`, `card_track` as `card`."""

_ALIASES = {"customer_id": "id", "card_track": "card", "card_number": "card", "organization": "organization_id"}
_STAGING_COLUMNS = ("organization_id", "identity_kind", "identity_value", "received_value", "priority")
_MAX_CARD_LENGTH = 200
CHUNK_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    """One row of the roster to be; `received_value` only where the value was put into another form."""

    organization_id: str
    kind: str
    value: str
    received_value: str | None
    priority: int


class RosterImport:
    """Imports frames of rows under one source name; safe to repeat, a chunk commits at a time."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        key: TaskKey,
        source: str,
        region: str,
        organization_id: str | None = None,
        priority: int = 0,
    ) -> None:
        self._warehouse = warehouse
        self._key = key
        self._source = source
        self._region = region
        self._organization_id = organization_id
        self._priority = priority

    def run(self, frames: Iterable[pd.DataFrame]) -> Counts:
        """Import all frames and return what was done: `changed` counts new identities, `unchanged` known ones.

        Raises `UnusableSource` where the columns cannot give identities, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            for frame in frames:
                total.add(self._import_chunk(connection, usable_columns(frame, self._organization_id)))
        return total

    def _import_chunk(self, connection: Connection, frame: pd.DataFrame) -> Counts:
        started = time.monotonic()
        lines: list[str] = []
        rejects: list[Reject] = []
        for row in frame.to_dict("records"):
            found = self._identity({str(name): value for name, value in row.items()})
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                lines.append(
                    copy_line((found.organization_id, found.kind, found.value, found.received_value, found.priority))
                )
        with transaction(connection, "import the roster") as cursor:
            copy_lines(cursor, "staging_roster", _STAGING_COLUMNS, lines)
            cursor.execute(sql("roster/import.sql"), {"source_name": self._source})
            added: int = fetch_one(cursor)[0]
            add_rejects(cursor, self._key.run_id, rejects)
            counts = Counts(
                requested=len(frame),
                found=len(lines),
                changed=added,
                unchanged=len(lines) - added,
                rejected=len(rejects),
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        return counts

    def _identity(self, row: dict[str, Any]) -> Identity | Reject:
        organization = _text(row.get("organization_id")) or self._organization_id or ""
        organization_id = _uuid(organization)
        values = {name: _text(row.get(name)) for name in ("id", "phone", "card")}
        shown = next((f"{kind} {value}" for kind, value in values.items() if value), "empty row")
        if organization_id is None:
            reason = "organization_id is not a uuid" if organization else "organization_id is missing"
            return self._reject(None, shown, reason, row)
        priority = _priority(row.get("priority"), self._priority)
        if values["id"]:
            customer_id = _uuid(values["id"])
            if customer_id is None:
                return self._reject(organization_id, shown, "id is not a uuid", row)
            return Identity(organization_id, "id", customer_id, None, priority)
        if values["phone"]:
            phone = to_e164(values["phone"], self._region)
            if phone is None:
                reason = f"phone is no possible number in region {self._region}"
                return self._reject(organization_id, shown, reason, row)
            received = values["phone"] if values["phone"] != phone else None
            return Identity(organization_id, "phone", phone, received, priority)
        if values["card"]:
            if len(values["card"]) > _MAX_CARD_LENGTH:
                return self._reject(organization_id, shown, "card is too long", row)
            return Identity(organization_id, "card", values["card"], None, priority)
        return self._reject(organization_id, shown, "has no id, phone or card", row)

    def _reject(self, organization_id: str | None, identity: str, reason: str, row: dict[str, Any]) -> Reject:
        payload = {name: _text(value) for name, value in row.items() if name in COLUMNS}
        return Reject("roster", organization_id, identity, "import", reason, payload)


def crm_frames(warehouse: Warehouse) -> Iterator[pd.DataFrame]:
    """Read the identities of `crm.customer`, a chunk at a time."""
    query = "select organization_id::text, customer_id::text as id, phone from crm.customer order by crm_id"
    with warehouse.connect() as connection, transaction(connection, "read crm.customer") as _:
        cursor = connection.cursor(name="crm_customer")
        cursor.itersize = CHUNK_ROWS
        cursor.execute(query)
        while rows := cursor.fetchmany(CHUNK_ROWS):
            yield pd.DataFrame(rows, columns=["organization_id", "id", "phone"], dtype="object")
        cursor.close()


def usable_columns(frame: pd.DataFrame, organization_id: str | None) -> pd.DataFrame:
    """Return the columns an import reads under their own names; raise `UnusableSource` where it cannot give identities."""
    plain = {column: str(column).strip().lower().replace(" ", "_") for column in frame.columns}
    renamed = frame.rename(columns={column: _ALIASES.get(name, name) for column, name in plain.items()})
    renamed = renamed.loc[:, ~renamed.columns.duplicated()]
    if not {"id", "phone", "card"}.intersection(renamed.columns):
        raise UnusableSource("the source needs at least one of the columns id, phone, card")
    if "organization_id" not in renamed.columns and organization_id is None:
        raise UnusableSource("the source has no column organization_id; name the organization in the form")
    return renamed[[name for name in COLUMNS if name in renamed.columns]]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA:
        return ""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return storable_text(text).strip()


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _priority(value: Any, default: int) -> int:
    text = _text(value)
    try:
        return max(-100, min(100, int(text))) if text else default
    except ValueError:
        return default
