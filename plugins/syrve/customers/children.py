"""The lists of a customer that the mirror keeps as tables: wallets, cards and categories. Each is described once, in `CHILDREN`.

Plain lists share the statements of `sql/merge/child.sql`, `absent_child.sql` and `orphan_child.sql`, in which the names of a list are
filled in. Wallets have a separate merge statement: a version keeps the balance that followed it, and a new name is no version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from syrve.api.models import Lookup
from syrve.customers.records import (
    CARD_COLUMNS,
    CATEGORY_COLUMNS,
    WALLET_COLUMNS,
    CustomerRecord,
    card_lines,
    category_lines,
    wallet_lines,
)
from syrve.warehouse.copy_text import copy_lines
from syrve.warehouse.database import Cursor, fetch_one
from syrve.warehouse.sql_files import sql


class _Lines(Protocol):
    def __call__(self, records: Iterable[CustomerRecord], *, times: int = 0) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Child:
    """One list: its table in `syrve`, its name in an answer, its attribute of `Customer`, and the columns that are copied.

    The third of `columns` is the key of a row within its customer. `renamed` gives the columns that have another name in the history.
    """

    entity: str
    list_name: str
    attribute: str
    columns: tuple[str, ...]
    lines: _Lines
    times: tuple[str, ...] = ("changed_at",)
    renamed: dict[str, str] = field(default_factory=dict)
    merge_file: str | None = None

    @property
    def table(self) -> str:
        """The mirror's table, with its schema."""
        return f"syrve.{self.entity}"

    @property
    def staging(self) -> str:
        """The temporary table that a batch is copied into."""
        return f"staging_{self.entity}"

    def statement(self, name: str) -> str:
        """Return the text of `sql/merge/<name>.sql` for this list."""
        key, own = self.columns[2], self.columns[3:]
        return sql(f"merge/{name}.sql") % {
            "child": self.entity,
            "staging": self.staging,
            "version": f"{self.entity}_version",
            "list": self.list_name,
            "key": key,
            "columns": ", ".join(own),
            "version_columns": ", ".join(self.renamed.get(each, each) for each in own),
            **{
                f"{alias}_columns": ", ".join(f"{alias}.{each}" for each in own)
                for alias in ("mirrored", "staged", "excluded")
            },
        }

    def merge_statement(self) -> str:
        """Return the statement that brings the mirror in step with the staging table; it returns how many rows it wrote and removed."""
        return sql(self.merge_file) if self.merge_file else self.statement("child")


CHILDREN = (
    Child(
        entity="wallet_balance",
        list_name="walletBalances",
        attribute="wallets",
        columns=WALLET_COLUMNS,
        lines=wallet_lines,
        times=("changed_at", "fetched_at"),
        merge_file="merge/wallet_balance.sql",
    ),
    Child(
        entity="card",
        list_name="cards",
        attribute="cards",
        columns=CARD_COLUMNS,
        lines=card_lines,
        renamed={"valid_to": "card_valid_to"},
    ),
    Child(
        entity="customer_category",
        list_name="categories",
        attribute="categories",
        columns=CATEGORY_COLUMNS,
        lines=category_lines,
    ),
)


def copy_new_children(cursor: Cursor, records: Sequence[CustomerRecord]) -> None:
    """Copy the lists of customers that the mirror does not have straight into its tables."""
    for child in CHILDREN:
        copy_lines(cursor, child.table, (*child.columns, *child.times), child.lines(records, times=len(child.times)))


def stage_children(cursor: Cursor, records: Sequence[CustomerRecord]) -> None:
    """Copy the lists of customers that differ into the staging tables."""
    for child in CHILDREN:
        copy_lines(cursor, child.staging, child.columns, child.lines(records))


def merge_children(cursor: Cursor) -> set[str]:
    """Bring the mirror's lists in step with the staging tables and return the tables in which a row changed."""
    changed = set()
    for child in CHILDREN:
        cursor.execute(child.merge_statement())
        if fetch_one(cursor)[0]:
            changed.add(child.table)
    return changed


def tables_of(records: Iterable[CustomerRecord]) -> set[str]:
    """Return the tables of the lists in which these customers have rows."""
    customers = [record.customer for record in records]
    return {child.table for child in CHILDREN if any(getattr(each, child.attribute) for each in customers)}


def remove_orphans(cursor: Cursor) -> None:
    """Remove rows of customers that are new to the mirror: their customer was deleted by hand."""
    for child in CHILDREN:
        cursor.execute(child.statement("orphan_child"))


def absent_lists(cursor: Cursor) -> list[tuple[Lookup, str]]:
    """Return each look-up whose answer lacked a list of which the mirror has rows, and the list's name."""
    found: list[tuple[Lookup, str]] = []
    for child in CHILDREN:
        cursor.execute(child.statement("absent_child"))
        found += [(Lookup(*identity), name) for *identity, name in cursor.fetchall()]
    return found
