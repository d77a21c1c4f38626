"""Reads rows as identities to look up: each gives one, the strongest that it has: id, else phone, else card track, else card number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syrve.customers.phones import to_e164
from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.row import Row
from syrve.warehouse.copy_text import copy_line, copy_lines
from syrve.warehouse.database import Cursor

COLUMNS = Columns(
    ("organization_id", "id", "phone", "card", "card_number", "priority"),
    aliases={"customer_id": "id", "card_track": "card"},
    any_of=("id", "phone", "card", "card_number"),
)
"""Columns that are read; any other is left alone. `card` is the track; a card number, which is another thing, counts if there is none."""
ENTITY = "roster"
SHOWN = ("id", "phone", "card", "card_number")

_STAGING_COLUMNS = ("organization_id", "identity_kind", "identity_value", "received_value", "priority")


@dataclass(frozen=True, slots=True)
class Identity:
    """One row of the roster to be; `received_value` only where the value was put into another form."""

    organization_id: str
    kind: str
    value: str
    received_value: str | None
    priority: int


class IdentityReader:
    """Reads rows; one that names no organization is of `organization_id`, national phones are of `region`."""

    def __init__(self, *, region: str, organization_id: str | None = None, priority: int = 0) -> None:
        self._region = region
        self._organization_id = organization_id
        self._priority = priority

    @property
    def columns(self) -> Columns:
        """The columns that a source must have."""
        return COLUMNS.of_organization(self._organization_id)

    def organization_of(self, row: Row) -> str | None:
        """Return the organization of a row, None if it has none that is one."""
        try:
            return row.uuid("organization_id") or self._organization_id
        except BadRow:
            return None

    def identity(self, row: Row) -> Identity:
        """Return the identity of a row; raise `BadRow`."""
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        for kind, value, received in self._values(row):
            return Identity(organization_id, kind, value, received, _priority(row, self._priority))
        raise BadRow("has no id, phone or card")

    def _values(self, row: Row) -> Iterator[tuple[str, str, str | None]]:
        customer_id = row.uuid("id")
        if customer_id:
            yield "id", customer_id, None
        received = row.code("phone")
        if received:
            phone = to_e164(received, self._region)
            if phone is None:
                raise BadRow(f"phone is not a possible number in region {self._region}")
            yield "phone", phone, received if received != phone else None
        for kind in ("card", "card_number"):
            card = row.code(kind)
            if card:
                yield kind, card, None


def stage_identities(cursor: Cursor, identities: Iterable[Identity]) -> None:
    """Copy identities into `staging_roster`; needs the staging tables on the cursor's connection."""
    lines = (
        copy_line((each.organization_id, each.kind, each.value, each.received_value, each.priority))
        for each in identities
    )
    copy_lines(cursor, "staging_roster", _STAGING_COLUMNS, lines)


def _priority(row: Row, default: int) -> int:
    try:
        text = row.text("priority")
        return max(-100, min(100, int(text))) if text else default
    except ValueError:
        return default
