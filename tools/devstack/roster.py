"""Makes the roster file that the demo imports: who to look up, as a company would have it in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

COLUMNS = ("organization_id", "phone", "id", "card")
UNKNOWN_PHONES = 12
JUNK_PHONES = ("12345", "8 (975) 12-34", "call the office", "n/a", "++++")
EVERY_NTH_BY_ID = 10
EVERY_NTH_BY_CARD = 15
EVERY_NTH_PHONE_NATIONAL = 7


@dataclass(frozen=True)
class Known:
    """A customer of the simulator."""

    organization_id: str
    customer_id: str
    phone: str | None
    card_tracks: Sequence[str] = ()


@dataclass(frozen=True)
class Roster:
    """Rows to import, and how many of them are customers, phones that no customer has, and texts that are not phones."""

    rows: list[dict[str, str]]
    known: int
    unknown: int
    junk: int


def build_roster(customers: Sequence[Known]) -> Roster:
    """Make a roster of these customers, most of them by phone, with some strangers and some rubbish added."""
    rows = [_row(customer, number) for number, customer in enumerate(customers, start=1)]
    organizations = sorted({customer.organization_id for customer in customers})
    strangers = list(islice(_unused_phones({c.phone for c in customers if c.phone}), UNKNOWN_PHONES))
    for number, phone in enumerate((*strangers, *JUNK_PHONES)):
        rows.append({"organization_id": organizations[number % len(organizations)], "phone": phone})
    return Roster(rows, len(customers), len(strangers), len(JUNK_PHONES))


def to_csv(rows: Iterable[dict[str, str]]) -> str:
    """Write the rows as CSV; a column that a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def import_conf(path: Path) -> dict[str, Any]:
    """Return the configuration of the run that imports this file of an inbox."""
    return {"source": "file", "path": path.name, "dry_run": False}


def _row(customer: Known, number: int) -> dict[str, str]:
    row = {"organization_id": customer.organization_id}
    if number % EVERY_NTH_BY_CARD == 0 and customer.card_tracks:
        return row | {"card": customer.card_tracks[0]}
    if number % EVERY_NTH_BY_ID == 0 or not customer.phone:
        return row | {"id": customer.customer_id}
    return row | {"phone": _national(customer.phone) if number % EVERY_NTH_PHONE_NATIONAL == 0 else customer.phone}


def _national(phone: str) -> str:
    digits = phone.removeprefix("+7")
    if digits == phone:
        return phone
    return f"8 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}"


def _unused_phones(taken: set[str]) -> Iterable[str]:
    return (phone for phone in (f"+7975{number:07}" for number in range(9_999_999, 0, -1)) if phone not in taken)
