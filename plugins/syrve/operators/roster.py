"""Operator that fills the roster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syrve.operators.base import SyrveOperator, task_key
from syrve.operators.forms import reads_as_dry_run
from syrve.operators.rendered import as_number, as_text
from syrve.operators.sources import Opened, opened_source, report_import

if TYPE_CHECKING:
    from airflow.sdk import Context

SOURCES = ("crm", "file", "query")


class SyrveRosterImportOperator(SyrveOperator):
    """Adds identities to `sync.roster` from `crm.customer`, from a file, or from a query; returns the counts and the first bad rows.

    `path` is a CSV, Parquet or Excel file of an inbox (`SYRVE_INBOX`), `file_format` says what it is like (`syrve.sources.file_format`).
    `query` runs on `query_conn_id`, one of `SYRVE_SOURCE_CONNECTIONS`. Rows need one of the columns `id`, `phone`, `card`, and
    `organization_id` unless the parameter of that name is given. A dry run counts the same and writes nothing.
    """

    template_fields: Sequence[str] = (
        "source",
        "path",
        "path_conn_id",
        "query",
        "query_conn_id",
        "file_format",
        "organization_id",
        "priority",
        "is_dry_run",
    )
    writes = ("sync.roster",)

    def __init__(
        self,
        *,
        source: str = "crm",
        path: str | None = None,
        path_conn_id: str | None = None,
        query: str | None = None,
        query_conn_id: str | None = None,
        file_format: Mapping[str, Any] | None = None,
        organization_id: str | None = None,
        is_dry_run: bool | str = False,
        priority: int | str | None = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.path = path
        self.path_conn_id = path_conn_id
        self.query = query
        self.query_conn_id = query_conn_id
        self.file_format = file_format
        self.organization_id = organization_id
        self.is_dry_run = is_dry_run
        self.priority = priority

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.customers.roster import RosterImport
        from syrve.sources.bad_rows import BadRows

        dry_run = reads_as_dry_run(self.is_dry_run, context)
        region = self.syrve().config().default_region
        with self._opened() as (opened, rows), BadRows() as bad_rows:
            job = RosterImport(
                self.warehouse(),
                key=task_key(context),
                source=self.source,
                region=region,
                organization_id=as_text(self.organization_id),
                priority=as_number(self.priority) or 0,
                dry_run=dry_run,
                place=opened.place if opened else None,
                bad_rows=bad_rows,
            )
            counts = job.run(rows)
            self.finish(context, counts, is_trial=dry_run)
            return report_import(opened, counts, bad_rows, dry_run=dry_run)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Opened | None, Any]]:
        from syrve.customers.roster import crm_rows
        from syrve.sources.errors import UnusableSource

        if self.source not in SOURCES:
            raise UnusableSource(f"source must be one of {', '.join(SOURCES)}")
        if self.source == "crm":
            yield None, crm_rows(self.warehouse())
            return
        with opened_source(
            self.source,
            path=self.path,
            path_conn_id=self.path_conn_id,
            query=self.query,
            query_conn_id=self.query_conn_id,
            file_format=self.file_format,
        ) as opened:
            yield opened, opened.source
