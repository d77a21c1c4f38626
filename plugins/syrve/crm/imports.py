"""Brings wishes from a file or a query into `crm.customer`, checked row by row.

A row is taken whole or kept in `sync.reject` with the reason: a customer is not changed by half of a row.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import date, datetime
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

PHONE_CHUNK_ROWS = 20_000
IMPORT_LOCK_KEY = 0x53795F696D706F  # "Sy_impo"
COLUMNS = (
    "crm_id",
    "organization_id",
    "customer_id",
    "phone",
    "name",
    "surname",
    "middle_name",
    "email",
    "birthday",
    "sex",
    "receives_order_status",
    "receives_promo",
    "clear",
    "category_id",
    "card_track",
    "card_number",
    "program_id",
    "wanted",
)
"""Columns that an import reads; any other is left alone."""
_ALIASES = {"id": "customer_id", "card": "card_track", "organization": "organization_id"}
_CLEARABLE = frozenset({"name", "surname", "middle_name", "email"})
_SEXES = {
    "male": "male",
    "female": "female",
    "not_specified": "not_specified",
    "m": "male",
    "f": "female",
    "1": "male",
    "2": "female",
    "0": "not_specified",
}
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_MAX_TEXT_LENGTH = 1_000


class _BadRow(ValueError):
    """A row that cannot be taken in; the text names the column and the problem, never the value."""


class CrmImport:
    """Imports frames of rows; safe to repeat, a chunk commits at a time."""

    def __init__(self, warehouse: Warehouse, *, key: TaskKey, region: str, organization_id: str | None = None) -> None:
        self._warehouse = warehouse
        self._key = key
        self._region = region
        self._organization_id = organization_id

    def run(self, frames: Iterable[pd.DataFrame]) -> Counts:
        """Import all frames and return what was done: `changed` counts written customers and memberships.

        Raises `UnusableSource` where the columns name no customer, and `WarehouseError`.
        """
        total = Counts()
        with self._warehouse.connect() as connection:
            prepare_staging(connection)
            with transaction(connection, "prepare the import") as cursor:
                cursor.execute(sql("crm/import/staging.sql"))
            self._read_phones(connection)
            for frame in frames:
                total.add(self._import_chunk(connection, _usable_columns(frame, self._organization_id)))
        return total

    def _import_chunk(self, connection: Connection, frame: pd.DataFrame) -> Counts:
        started = time.monotonic()
        lines: list[str] = []
        rejects: list[Reject] = []
        rows = [{str(name): _text(value) for name, value in row.items()} for row in frame.to_dict("records")]
        for number, texts in enumerate(rows):
            try:
                lines.append(copy_line((number, *self._checked(texts))))
            except _BadRow as error:
                rejects.append(_reject(texts, str(error)))
        with transaction(connection, "import wishes") as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (IMPORT_LOCK_KEY,))
            copy_lines(cursor, "staging_crm", ("line", *COLUMNS), lines)
            cursor.execute("analyze staging_crm")
            cursor.execute(sql("crm/import/unknown.sql"))
            unknown = [line for (line,) in cursor.fetchall()]
            rejects += [
                _reject(rows[line], "no row of crm.customer has this crm_id in its organization") for line in unknown
            ]
            cursor.execute(sql("crm/import/identify.sql"), {"region": self._region})
            unfit = cursor.fetchall()
            rejects += [_reject(rows[line], reason) for line, reason in unfit]
            found = len(lines) - len(unknown) - len(unfit)
            cursor.execute(sql("crm/import/merge.sql"))
            changed: int = fetch_one(cursor)[0]
            cursor.execute(sql("crm/import/memberships.sql"))
            memberships: int = fetch_one(cursor)[0]
            add_rejects(cursor, self._key.run_id, rejects)
            counts = Counts(
                requested=len(frame),
                found=found,
                changed=changed + memberships,
                unchanged=max(0, found - changed),
                rejected=len(rejects),
                seconds=time.monotonic() - started,
            )
            add_counts(cursor, self._key, counts)
        return counts

    def _read_phones(self, connection: Connection) -> None:
        """Read the phones that the CRM wrote in other forms, so that a line finds its row however the phone was written."""
        while True:
            with transaction(connection, "read the phones of the CRM") as cursor:
                cursor.execute(sql("crm/import/phones_unread.sql"), {"region": self._region, "most": PHONE_CHUNK_ROWS})
                phones = cursor.fetchall()
                read = (copy_line((crm_id, text, to_e164(text, self._region))) for crm_id, text in phones)
                copy_lines(cursor, "staging_phone", ("crm_id", "received", "phone"), read)
                cursor.execute(sql("crm/import/phones_read.sql"), {"region": self._region})
            if len(phones) < PHONE_CHUNK_ROWS:
                return

    def _checked(self, row: Mapping[str, str]) -> tuple[object, ...]:
        """Return the row's values in the order of `COLUMNS`, or raise `_BadRow`."""
        customer_id, phone = _uuid(row, "customer_id"), self._phone(row)
        crm_id = _whole(row, "crm_id")
        if customer_id is None and phone is None and crm_id is None:
            raise _BadRow("has no crm_id, customer_id or phone")
        organization_id = _uuid(row, "organization_id") or self._organization_id
        if organization_id is None:
            raise _BadRow("organization_id is missing")
        cleared = _cleared(row)
        return (
            crm_id,
            organization_id,
            customer_id,
            phone,
            *(_bounded(row, name) for name in ("name", "surname", "middle_name", "email")),
            _day(row, "birthday"),
            _word(row, "sex", _SEXES),
            _word(row, "receives_order_status", _FLAGS),
            _word(row, "receives_promo", _FLAGS),
            "{" + ",".join(cleared) + "}" if cleared else None,
            _uuid(row, "category_id"),
            _bounded(row, "card_track"),
            _bounded(row, "card_number"),
            _uuid(row, "program_id"),
            _word(row, "wanted", _FLAGS) is not False,
        )

    def _phone(self, row: Mapping[str, str]) -> str | None:
        text = row.get("phone", "")
        if not text:
            return None
        phone = to_e164(text, self._region)
        if phone is None:
            raise _BadRow(f"phone is no possible number in region {self._region}")
        return phone


def _usable_columns(frame: pd.DataFrame, organization_id: str | None) -> pd.DataFrame:
    plain = {column: str(column).strip().lower().replace(" ", "_") for column in frame.columns}
    renamed = frame.rename(columns={column: _ALIASES.get(name, name) for column, name in plain.items()})
    renamed = renamed.loc[:, ~renamed.columns.duplicated()]
    if not {"crm_id", "customer_id", "phone"}.intersection(renamed.columns):
        raise UnusableSource("the source needs at least one of the columns crm_id, customer_id, phone")
    if "organization_id" not in renamed.columns and organization_id is None:
        raise UnusableSource("the source has no column organization_id; name the organization in the form")
    return renamed[[name for name in COLUMNS if name in renamed.columns]]


def _reject(row: Mapping[str, str], reason: str) -> Reject:
    kinds = ("crm_id", "customer_id", "phone")
    shown = next((f"{kind} {row[kind]}" for kind in kinds if row.get(kind)), "empty row")
    organization_id = row.get("organization_id", "")
    return Reject("crm_import", _uuid_or_none(organization_id), shown, "import", reason, dict(row))


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return storable_text(text).strip()


def _uuid_or_none(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _uuid(row: Mapping[str, str], name: str) -> str | None:
    text = row.get(name, "")
    if not text:
        return None
    found = _uuid_or_none(text)
    if found is None:
        raise _BadRow(f"{name} is not a uuid")
    return found


def _whole(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _BadRow(f"{name} is not a whole number")
    return int(text)


def _bounded(row: Mapping[str, str], name: str) -> str | None:
    text = row.get(name, "")
    if len(text) > _MAX_TEXT_LENGTH:
        raise _BadRow(f"{name} is longer than {_MAX_TEXT_LENGTH:,} characters")
    return text or None


def _day(row: Mapping[str, str], name: str) -> date | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise _BadRow(f"{name} is not a date such as 1990-05-15") from None


def _word(row: Mapping[str, str], name: str, words: Mapping[str, Any]) -> Any:
    text = row.get(name, "").lower()
    if not text:
        return None
    if text not in words:
        raise _BadRow(f"{name} must be one of {', '.join(words)}")
    return words[text]


def _cleared(row: Mapping[str, str]) -> list[str]:
    names = sorted(set(row.get("clear", "").replace(",", " ").lower().split()))
    for name in names:
        if name not in _CLEARABLE:
            raise _BadRow(f"clear may name {', '.join(sorted(_CLEARABLE))}")
        if row.get(name):
            raise _BadRow(f"{name} is both set and to be emptied")
    return names
