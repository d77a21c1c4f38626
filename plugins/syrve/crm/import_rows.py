"""Reads a row of desired state: its customer, fields and memberships, each checked; a row is imported whole or not at all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from syrve.customers.phones import to_e164
from syrve.sources.columns import Columns
from syrve.sources.errors import BadRow
from syrve.sources.row import Row
from syrve.sources.values import SEXES

NAMES = (
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
"""Columns that an import reads, in the order of `RowReader.values`; any other is left alone."""
COLUMNS = Columns(
    NAMES,
    aliases={"id": "customer_id"},
    any_of=("crm_id", "customer_id", "phone"),
    listed=frozenset(NAMES) - {"organization_id"},
)
"""All but the organization is of one person: a query of a form types none of it."""
_CLEARABLE = frozenset({"name", "surname", "middle_name", "email"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_FIRST_BIRTHDAY = date(1900, 1, 2)
"""The day before is what databases write for no date."""


class RowReader:
    """Reads rows; one that names no organization is of `organization_id`, national phones are of `region`."""

    def __init__(self, *, region: str, organization_id: str | None = None) -> None:
        self._region = region
        self._organization_id = organization_id

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

    def values(self, row: Row) -> tuple[object, ...]:
        """Return the row's values in the order of `NAMES`; raise `BadRow`."""
        customer_id, phone = row.uuid("customer_id"), self._phone(row)
        crm_id = row.whole("crm_id")
        if customer_id is None and phone is None and crm_id is None:
            raise BadRow("has no crm_id, customer_id or phone")
        organization_id = row.uuid("organization_id") or self._organization_id
        if organization_id is None:
            raise BadRow("organization_id is missing")
        cleared = _cleared(row)
        wanted = row.flag("wanted")
        return (
            crm_id,
            organization_id,
            customer_id,
            phone,
            *(row.text(name) for name in ("name", "surname", "middle_name")),
            _email(row),
            _birthday(row),
            row.word("sex", SEXES),
            row.flag("receives_order_status"),
            row.flag("receives_promo"),
            "{" + ",".join(cleared) + "}" if cleared else None,
            row.uuid("category_id"),
            row.code("card_track"),
            row.code("card_number"),
            row.uuid("program_id"),
            wanted is not False,
        )

    def _phone(self, row: Row) -> str | None:
        received = row.code("phone")
        if received is None:
            return None
        phone = to_e164(received, self._region)
        if phone is None:
            raise BadRow(f"phone is not a possible number in region {self._region}")
        return phone


def _birthday(row: Row) -> date | None:
    birthday = row.day("birthday")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    if birthday is not None and not _FIRST_BIRTHDAY <= birthday <= tomorrow:
        raise BadRow("birthday is before 1900 or in the future")
    return birthday


def _email(row: Row) -> str | None:
    email = row.text("email")
    if email is not None and not _EMAIL.fullmatch(email):
        raise BadRow("email is not an address, such as name@example.com")
    return email


def _cleared(row: Row) -> list[str]:
    names = sorted(set((row.text("clear") or "").replace(",", " ").lower().split()))
    for name in names:
        if name not in _CLEARABLE:
            raise BadRow(f"clear may name {', '.join(sorted(_CLEARABLE))}")
        if row.text(name):
            raise BadRow(f"{name} is both set and to be emptied")
    return names
