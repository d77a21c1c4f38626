"""Operator that fills the roster."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse
from syrve.operators.base import task_key, told
from syrve.operators.rendered import as_number, as_text
from syrve.operators.sources import source_frames

if TYPE_CHECKING:
    import pandas as pd
    from airflow.sdk import Context

log = logging.getLogger(__name__)

SOURCES = ("crm", "file", "query")


class SyrveRosterImportOperator(BaseOperator):
    """Adds identities to `sync.roster` from `crm.customer`, from a file, or from a query; returns the counts.

    `path` is a CSV, Parquet or Excel file at any path that Airflow's object storage reads, with `path_conn_id` where it needs a
    connection. `query` runs on the SQL connection `query_conn_id`. Rows need one of the columns `id`, `phone`, `card`, and
    `organization_id` unless the parameter of that name is given.
    """

    template_fields: Sequence[str] = (
        "source",
        "path",
        "path_conn_id",
        "query",
        "query_conn_id",
        "organization_id",
        "priority",
    )

    def __init__(
        self,
        *,
        source: str = "crm",
        path: str | None = None,
        path_conn_id: str | None = None,
        query: str | None = None,
        query_conn_id: str | None = None,
        organization_id: str | None = None,
        priority: int | str | None = 0,
        syrve_conn_id: str = SyrveHook.default_conn_name,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.path = path
        self.path_conn_id = path_conn_id
        self.query = query
        self.query_conn_id = query_conn_id
        self.organization_id = organization_id
        self.priority = priority
        self.syrve_conn_id = syrve_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.customers.roster import RosterImport

        job = RosterImport(
            open_warehouse(self.warehouse_conn_id),
            key=task_key(context),
            source=self.source,
            region=SyrveHook(self.syrve_conn_id).config().default_region,
            organization_id=as_text(self.organization_id),
            priority=as_number(self.priority) or 0,
        )
        counts = job.run(self._frames())
        log.info("Done: %s", told(counts))
        if counts.rejected:
            log.warning("%d row(s) could not be taken in; see sync.reject, stage import", counts.rejected)
        return counts.as_dict()

    def _frames(self) -> Iterator[pd.DataFrame]:
        from syrve.customers.errors import UnusableSource
        from syrve.customers.roster import crm_frames

        if self.source == "crm":
            return crm_frames(open_warehouse(self.warehouse_conn_id))
        if self.source not in SOURCES:
            raise UnusableSource(f"source must be one of {', '.join(SOURCES)}")
        return source_frames(
            self.source,
            path=self.path,
            path_conn_id=self.path_conn_id,
            query=self.query,
            query_conn_id=self.query_conn_id,
        )
