"""Operator that fills the roster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syrve.operators.base import SyrveOperator
from syrve.operators.rendered import as_number
from syrve.operators.source_base import ImportOperator
from syrve.operators.sources import Opened

if TYPE_CHECKING:
    from syrve.customers.roster import RosterImport

SOURCES = ("crm", "file", "query")


class SyrveRosterImportOperator(ImportOperator, SyrveOperator):
    """Adds identities to `sync.roster` from `crm.customer`, from a file, or from a query; returns the counts and the first bad rows.

    The parameters of the source are those of `SourceOperator`. Rows need one of the columns `id`, `phone`, `card`, and `organization_id`
    unless the parameter of that name is given. A dry run counts the same and writes nothing.
    """

    template_fields: Sequence[str] = (*ImportOperator.template_fields, "priority")
    writes = ("sync.roster",)

    def __init__(self, *, source: str = "crm", priority: int | str | None = 0, **kwargs: Any) -> None:
        super().__init__(source=source, **kwargs)
        self.priority = priority

    def import_job(self, **shared: Any) -> RosterImport:
        """Make the job."""
        from syrve.customers.roster import RosterImport

        region = self.syrve().config().default_region
        priority = as_number(self.priority) or 0
        return RosterImport(self.warehouse(), source=self.source, region=region, priority=priority, **shared)

    @contextmanager
    def rows(self) -> Iterator[tuple[Opened | None, Any]]:
        """Open the source; the CRM's rows are in the warehouse."""
        from syrve.customers.roster import crm_rows
        from syrve.sources.errors import UnusableSource

        if self.source not in SOURCES:
            raise UnusableSource(f"source must be one of {', '.join(SOURCES)}")
        if self.source == "crm":
            yield None, crm_rows(self.warehouse())
            return
        with super().rows() as opened:
            yield opened
