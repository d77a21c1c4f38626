"""Operators that take into the ledger what others did."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_budget, open_warehouse
from syrve.operators.base import task_key, told
from syrve.operators.rendered import as_number, as_text, as_texts
from syrve.operators.sources import source_frames

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

SOURCES = ("none", "file", "query")


class SyrveWalletImportOperator(BaseOperator):
    """Imports holds, charges, cancellations and order states from a file or a query, as docs/wallet.md says; returns the counts."""

    template_fields: Sequence[str] = (
        "source",
        "source_name",
        "path",
        "path_conn_id",
        "query",
        "query_conn_id",
        "organization_id",
    )

    def __init__(
        self,
        *,
        source: str = "none",
        source_name: str = "till",
        path: str | None = None,
        path_conn_id: str | None = None,
        query: str | None = None,
        query_conn_id: str | None = None,
        organization_id: str | None = None,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.source_name = source_name
        self.path = path
        self.path_conn_id = path_conn_id
        self.query = query
        self.query_conn_id = query_conn_id
        self.organization_id = organization_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.wallet.importing import WalletImport

        if as_text(self.source) is None:
            raise AirflowSkipException("No source is set; see SYRVE_WALLET_IMPORT_SOURCE")
        frames = source_frames(
            self.source,
            path=self.path,
            path_conn_id=self.path_conn_id,
            query=self.query,
            query_conn_id=self.query_conn_id,
        )
        job = WalletImport(
            open_warehouse(self.warehouse_conn_id),
            key=task_key(context),
            source=str(self.source_name),
            organization_id=as_text(self.organization_id),
        )
        counts = job.run(frames)
        log.info("Done: %s", told(counts))
        if counts.rejected:
            log.warning("%d row(s) could not be taken in; see sync.reject, entity wallet_operation", counts.rejected)
        return counts.as_dict()


class SyrveTransactionsOperator(BaseOperator):
    """Reads the transactions of customers with open holds, those read longest ago first (dialect `cloud` only); returns the counts."""

    template_fields: Sequence[str] = ("organization_ids", "customers")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        customers: int | str = 100,
        syrve_conn_id: str = SyrveHook.default_conn_name,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.customers = customers
        self.syrve_conn_id = syrve_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the report."""
        from syrve.organizations import chosen
        from syrve.wallet.transactions import TransactionsImport

        hook = SyrveHook(self.syrve_conn_id)
        if hook.config().dialect != "cloud":
            raise AirflowSkipException("The dialect reference has no transactions report")
        warehouse = open_warehouse(self.warehouse_conn_id)
        with open_budget(warehouse, hook.config(), bulk=True) as budget, hook.get_conn(budget) as client:
            visible = [each.organization_id for each in client.organizations()]
            job = TransactionsImport(warehouse, client, key=task_key(context))
            counts = job.run(chosen(visible, as_texts(self.organization_ids)), customers=as_number(self.customers) or 1)
        log.info("Done: %s", told(counts))
        return counts.as_dict()
