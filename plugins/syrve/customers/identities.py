"""Reads rows as identities to look up: each gives one, the strongest that it has: id, else phone, else card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pandas as pd

from syrve.customers.errors import UnusableSource
from syrve.customers.phones import to_e164
from syrve.values import storable_text
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Cursor
from syrve.warehouse.runs import Reject

CHUNK_ROWS = 10_000
COLUMNS = ("organization_id", "id", "phone", "card", "priority")
"""Columns that are read; any other is left alone. `customer_id` is read as `id`, `card_track` as `card`."""

_ALIASES = {"customer_id": "id", "card_track": "card", "card_number": "card", "organization": "organization_id"}
_STAGING_COLUMNS = ("organization_id", "identity_kind", "identity_value", "received_value", "priority")
_MAX_CARD_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """One row of the roster to be; `received_value` only where the value was put into another form."""

    organization_id: str
    kind: str
    value: str
    received_value: str | None
    priority: int


@dataclass(slots=True)
class IdentityRows:
    """What a frame of rows gave: identities, and rejects for the rows that gave none."""

    identities: list[Identity] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class IdentityReader:
    """Reads frames of rows; a row that names no organization is of `organization_id`, national phones are of `region`."""

    def __init__(self, *, region: str, organization_id: str | None = None, priority: int = 0) -> None:
        self._region = region
        self._organization_id = organization_id
        self._priority = priority

    def read(self, frame: pd.DataFrame) -> IdentityRows:
        """Read a frame; raise `UnusableSource` where its columns cannot give identities."""
        found = IdentityRows()
        for row in usable_columns(frame, self._organization_id).to_dict("records"):
            one = self._identity({str(name): value for name, value in row.items()})
            if isinstance(one, Reject):
                found.rejects.append(one)
            else:
                found.identities.append(one)
        return found

    def _identity(self, row: dict[str, Any]) -> Identity | Reject:
        organization = _text(row.get("organization_id")) or self._organization_id or ""
        organization_id = _uuid(organization)
        values = {name: _text(row.get(name)) for name in ("id", "phone", "card")}
        if organization_id is None:
            reason = "organization_id is not a uuid" if organization else "organization_id is missing"
            return _rejected(None, values, reason, row)
        priority = _priority(row.get("priority"), self._priority)
        if values["id"]:
            customer_id = _uuid(values["id"])
            if customer_id is None:
                return _rejected(organization_id, values, "id is not a uuid", row)
            return Identity(organization_id, "id", customer_id, None, priority)
        if values["phone"]:
            phone = to_e164(values["phone"], self._region)
            if phone is None:
                reason = f"phone is no possible number in region {self._region}"
                return _rejected(organization_id, values, reason, row)
            received = values["phone"] if values["phone"] != phone else None
            return Identity(organization_id, "phone", phone, received, priority)
        if values["card"]:
            if len(values["card"]) > _MAX_CARD_LENGTH:
                return _rejected(organization_id, values, "card is too long", row)
            return Identity(organization_id, "card", values["card"], None, priority)
        return _rejected(organization_id, values, "has no id, phone or card", row)


def stage_identities(cursor: Cursor, identities: Iterable[Identity]) -> None:
    """Copy identities into `staging_roster`; needs the staging tables on the cursor's connection."""
    lines = (
        copy_line((each.organization_id, each.kind, each.value, each.received_value, each.priority))
        for each in identities
    )
    copy_lines(cursor, "staging_roster", _STAGING_COLUMNS, lines)


def import_reject(organization_id: str | None, identity: str, reason: str, payload: dict[str, str]) -> Reject:
    """Make the reject of a row that was not taken in."""
    return Reject("roster", organization_id, identity, "import", reason, payload)


def usable_columns(frame: pd.DataFrame, organization_id: str | None) -> pd.DataFrame:
    """Return the columns that are read under their own names; raise `UnusableSource` where they cannot give identities."""
    plain = {column: str(column).strip().lower().replace(" ", "_") for column in frame.columns}
    renamed = frame.rename(columns={column: _ALIASES.get(name, name) for column, name in plain.items()})
    renamed = renamed.loc[:, ~renamed.columns.duplicated()]
    if not {"id", "phone", "card"}.intersection(renamed.columns):
        raise UnusableSource("the source needs at least one of the columns id, phone, card")
    if "organization_id" not in renamed.columns and organization_id is None:
        raise UnusableSource("the source has no column organization_id; name the organization in the form")
    return renamed[[name for name in COLUMNS if name in renamed.columns]]


def _rejected(organization_id: str | None, values: dict[str, str], reason: str, row: dict[str, Any]) -> Reject:
    shown = next((f"{kind} {value}" for kind, value in values.items() if value), "empty row")
    return import_reject(
        organization_id, shown, reason, {name: _text(value) for name, value in row.items() if name in COLUMNS}
    )


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
