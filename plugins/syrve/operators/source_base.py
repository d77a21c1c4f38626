"""What the operators share that read a file or a query, and the one course of all imports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from syrve.operators.base import WarehouseOperator, task_key
from syrve.operators.forms import reads_as_dry_run
from syrve.operators.rendered import as_text
from syrve.operators.sources import Opened, opened_source, report_import

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.warehouse.runs import Counts


class SourceOperator(WarehouseOperator):
    """An operator that reads rows from a file or a query.

    `path` is a CSV, Parquet or Excel file of an inbox (`SYRVE_INBOX`), `file_format` says what it is like (`syrve.sources.file_format`).
    `query` runs on `query_conn_id`, one of `SYRVE_SOURCE_CONNECTIONS`.
    """

    template_fields: Sequence[str] = (
        "source",
        "path",
        "path_conn_id",
        "query",
        "query_conn_id",
        "file_format",
    )

    def __init__(
        self,
        *,
        source: str = "file",
        path: str | None = None,
        path_conn_id: str | None = None,
        query: str | None = None,
        query_conn_id: str | None = None,
        file_format: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.path = path
        self.path_conn_id = path_conn_id
        self.query = query
        self.query_conn_id = query_conn_id
        self.file_format = file_format

    def opened(self, *, is_saved: bool = False) -> AbstractContextManager[Opened]:
        """Open the source; `is_saved` as in `opened_source`. Raises `UnusableSource`."""
        return opened_source(
            self.source,
            path=self.path,
            path_conn_id=self.path_conn_id,
            query=self.query,
            query_conn_id=self.query_conn_id,
            file_format=self.file_format,
            is_saved=is_saved,
        )


class ImportJob(Protocol):
    """What an import operator runs."""

    @property
    def created(self) -> int | None:
        """How many of what `Counts.changed` counts are new; None if the job does not tell them apart."""
        ...

    def run(self, source: Any) -> Counts:
        """Import the source."""
        ...


class ImportOperator(SourceOperator):
    """Imports a source with the job of the subclass; returns the counts and the first bad rows.

    A dry run counts the same and writes nothing. `organization_id` is that of rows that name none.
    """

    template_fields: Sequence[str] = (*SourceOperator.template_fields, "organization_id", "is_dry_run")

    def __init__(self, *, organization_id: str | None = None, is_dry_run: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.is_dry_run = is_dry_run

    @abstractmethod
    def import_job(self, **shared: Any) -> ImportJob:
        """Make the job; `shared` is what every import job takes: the warehouse's key, organization_id, dry_run, place, bad_rows."""

    def is_saved_query(self) -> bool:
        """Whether the query is one of the settings, which needs no allow-list."""
        return False

    @contextmanager
    def rows(self) -> Iterator[tuple[Opened | None, Any]]:
        """Open the source; yields it, None if it is neither a file nor a query, and its rows."""
        with self.opened(is_saved=self.is_saved_query()) as opened:
            yield opened, opened.source

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.sources.bad_rows import BadRows

        dry_run = reads_as_dry_run(self.is_dry_run, context)
        with self.rows() as (opened, rows), BadRows() as bad_rows:
            job = self.import_job(
                key=task_key(context),
                organization_id=as_text(self.organization_id),
                dry_run=dry_run,
                place=opened.place if opened else None,
                bad_rows=bad_rows,
            )
            counts = job.run(rows)
            self.finish(context, counts, is_trial=dry_run)
            return report_import(opened, counts, bad_rows, dry_run=dry_run, created=job.created)
