"""Reads rows of lists and imports: text, ids, amounts and times, each with a clear problem where it is not usable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import pandas as pd

from syrve.values import storable_text
from syrve.wallet.errors import UnusableList
from syrve.warehouse.runs import Reject

_YES, _NO = ("true", "1", "yes", "t", "1.0"), ("", "false", "0", "no", "f", "0.0")


class BadRow(Exception):
    """The row can't be taken in; the text says why and holds no value."""


class Row:
    """One row of a frame; every reader raises `BadRow` that names the column."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = {name: as_text(value) for name, value in values.items()}

    def text(self, name: str, *, needed: bool = False) -> str | None:
        """Return a text, None where it is empty."""
        value = self.values.get(name, "")
        if not value and needed:
            raise BadRow(f"{name} is missing")
        return value or None

    def uuid(self, name: str, *, needed: bool = False) -> str | None:
        """Return an id in canonical writing."""
        value = self.text(name, needed=needed)
        if value is None:
            return None
        try:
            return str(UUID(value))
        except ValueError:
            raise BadRow(f"{name} is not a uuid") from None

    def amount(self, name: str, *, needed: bool = False) -> Decimal | None:
        """Return an amount as it is written, comma or point; whether it makes sense is for the operation to say."""
        value = self.text(name, needed=needed)
        if value is None:
            return None
        try:
            return Decimal(value.replace(",", ".").replace(" ", "").replace("\u00a0", ""))
        except InvalidOperation:
            raise BadRow(f"{name} is not a number") from None

    def moment(self, name: str) -> datetime:
        """Return a time (ISO 8601); one without an offset is in UTC."""
        value = self.text(name, needed=True)
        assert value is not None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise BadRow(f"{name} is not a time in ISO 8601") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def flag(self, name: str) -> bool:
        """Return a yes or no; empty is no."""
        value = (self.text(name) or "").lower()
        if value not in _YES + _NO:
            raise BadRow(f"{name} is neither true nor false")
        return value in _YES

    def one_of(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return a word of a fixed list."""
        value = (self.text(name) or default or "").lower()
        if value not in allowed:
            raise BadRow(f"{name} must be one of {', '.join(allowed)}")
        return value

    def reject(self, entity: str, reason: str, organization_id: str | None = None) -> Reject:
        """Return what to keep of a row that can't be taken in."""
        shown = next(
            (
                f"{name} {self.values[name]}"
                for name in ("key", "hold_id", "customer_id", "phone", "order_id")
                if self.values.get(name)
            ),
            "row without a key",
        )
        return Reject(entity, organization_id, shown, "import", reason, self.values)


def known_columns(
    frame: pd.DataFrame, columns: Sequence[str], aliases: Mapping[str, str], needed: Sequence[str]
) -> list[Row]:
    """Return the rows of a frame with the columns that are known; raise `UnusableList` where a needed one is missing."""
    plain = {column: str(column).strip().lower().replace(" ", "_") for column in frame.columns}
    renamed = frame.rename(columns={column: aliases.get(name, name) for column, name in plain.items()})
    renamed = renamed.loc[:, ~renamed.columns.duplicated()]
    missing = [name for name in needed if name not in renamed.columns]
    if missing:
        raise UnusableList(f"the source has no column {missing[0]}; it reads {', '.join(columns)}")
    chosen = renamed[[name for name in columns if name in renamed.columns]]
    return [Row({str(name): value for name, value in row.items()}) for row in chosen.to_dict("records")]


def as_text(value: Any) -> str:
    """Return a cell as text; empty for what is not there."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return storable_text(str(value)).strip()
