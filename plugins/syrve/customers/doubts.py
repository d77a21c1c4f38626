"""Doubts answers that would take from the mirror what it knows of a customer: all personal fields, letters, every wallet, or who they are.

Such an answer counts for the breaker like a deletion. One that passes it, and would empty or damage the profile, is believed when a later
run gets the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from syrve.api.models import Customer
from syrve.customers.records import CustomerRecord
from syrve.sources.values import is_damaged
from syrve.warehouse.database import Cursor
from syrve.warehouse.runs import Reject, TaskKey
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.customers.merge import Batch

EMPTIED = "every personal field is empty, of a customer who had several; the mirror stays until a later run gets the same answer"
DAMAGED = "text came damaged where the mirror has it whole; the mirror stays until a later run gets the same answer"
_TRAITS_OF_A_PERSON = 2
"""Of name, birthday and e-mail: people change one, a wedding or a new address; all that are known change with the person."""
_TEXTS = ("name", "surname", "middle_name", "email")


@dataclass(frozen=True, slots=True)
class Doubt:
    """What an answer would take, as in `sync.held_back.answer`; `reason` of the reject if even one such answer is not believed at once."""

    answer: str
    reason: str | None = None


Traits = tuple[str | None, date | None, str | None]
"""Name, birthday and e-mail of one person, in small letters."""
Doubts = dict[tuple[str, str], Doubt]
"""By organization and customer."""


def find_doubts(cursor: Cursor, batch: Batch) -> Doubts:
    """Return what the answers of a batch would take from known customers; only whom an answer changes is looked at."""
    suspects = [record for record in batch.customers.values() if _is_suspect(record.customer)]
    if not suspects:
        return {}
    cursor.execute(sql("merge/suspects.sql"), _arrays(suspects))
    found = ((row[:2], _doubt(batch.customers[row[0], row[1]].customer, *row[2:])) for row in cursor.fetchall())
    return {key: doubt for key, doubt in found if doubt is not None}


def reject_doubted(cursor: Cursor, batch: Batch, key: TaskKey, doubts: Doubts) -> None:
    """Turn staged look-ups into rejects whose answer no earlier run got; not those that a person let through, or that are held back."""
    doubted = [(*each, doubt.reason) for each, doubt in doubts.items() if doubt.reason is not None]
    if not doubted:
        return
    organization_ids, customer_ids, reasons = map(list, zip(*doubted, strict=True))
    values = {"organization_ids": organization_ids, "customer_ids": customer_ids, "reasons": reasons}
    cursor.execute(sql("merge/doubted.sql"), values | {"run_id": key.run_id})
    for organization_id, customer_id, identity, reason in cursor.fetchall():
        batch.customers.pop((organization_id, customer_id), None)
        batch.rejects.append(Reject("customer", organization_id, identity, "look_up", reason))
        batch.counts.found -= 1
        batch.counts.rejected += 1


def _arrays(suspects: list[CustomerRecord]) -> dict[str, str]:
    """Write the arrays out: most customers of a batch are in them, and the driver takes longer for each value than for one long text."""
    return {
        "organization_ids": _array(each.organization_id for each in suspects),
        "customer_ids": _array(each.customer.customer_id for each in suspects),
        "digests": _array(each.digest.hex() for each in suspects),
        "moments": _array(each.fetched_at.isoformat() for each in suspects),
    }


def _array(values: Iterable[str]) -> str:
    """Write values that need no quotes as an array of Postgres."""
    return "{" + ",".join(values) + "}"


def _is_suspect(customer: Customer) -> bool:
    """Whether an answer may have lost something or be another person's; cheap, for it is asked of every customer."""
    if customer.is_deleted:
        return False
    texts = f"{customer.name} {customer.surname} {customer.middle_name} {customer.email}"
    if not customer.wallets or is_damaged(texts) or "??" in texts or _says_nothing(customer):
        return True
    has_name = bool(customer.name or customer.surname or customer.middle_name)
    return has_name + (customer.birthday is not None) + (customer.email is not None) >= _TRAITS_OF_A_PERSON


def _doubt(
    customer: Customer, fields: int, has_wallets: bool, birthday: date | None, *texts: str | None
) -> Doubt | None:
    if fields and _says_nothing(customer):
        is_explained = fields == 1 or customer.extra.get("anonymized") is True
        return Doubt("emptied", None if is_explained else EMPTIED)
    for name, known in zip(_TEXTS, texts, strict=True):
        text = getattr(customer, name)
        if known and text and is_damaged(text) and not is_damaged(known):
            return Doubt("damaged", DAMAGED)
    if has_wallets and not customer.wallets and "walletBalances" not in customer.absent:
        return Doubt("no_wallets")
    known_traits = (_name(*texts[:3]), birthday, _folded(texts[3]))
    return Doubt("another_person") if _is_another_person(known_traits, _traits(customer)) else None


def _traits(customer: Customer) -> Traits:
    return _name(customer.name, customer.surname, customer.middle_name), customer.birthday, _folded(customer.email)


def _is_another_person(known: Traits, seen: Traits) -> bool:
    """Whether name, birthday and e-mail differ, each that both sides have: the answer is the next customer's, under the right id."""
    same = [before == now for before, now in zip(known, seen, strict=True) if before is not None and now is not None]
    return len(same) >= _TRAITS_OF_A_PERSON and not any(same)


def _name(*parts: str | None) -> str | None:
    return _folded(" ".join(part for part in parts if part)) or None


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _says_nothing(customer: Customer) -> bool:
    return (
        customer.phone is None
        and customer.name is None
        and customer.surname is None
        and customer.middle_name is None
        and customer.email is None
        and customer.birthday is None
    )
