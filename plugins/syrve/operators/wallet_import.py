"""Operators that take into the ledger what others did."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.warehouse import open_budget
from syrve.operators import settings
from syrve.operators.base import SyrveOperator, WarehouseOperator, task_key, told
from syrve.operators.forms import reads_as_dry_run
from syrve.operators.rendered import as_number, as_text, as_texts
from syrve.operators.sources import opened_source, report_import

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

SOURCES = ("none", "file", "query")


class SyrveWalletImportOperator(WarehouseOperator):
    """Imports holds, charges, cancellations and order states from a file or a query, as docs/wallet.md says.

    Returns the counts and the first bad rows; a dry run counts the same and writes nothing. `path`, `query` and `file_format` are as in
    `SyrveRosterImportOperator`.
    """

    template_fields: Sequence[str] = (
        "source",
        "source_name",
        "path",
        "path_conn_id",
        "query",
        "query_conn_id",
        "file_format",
        "organization_id",
        "is_dry_run",
    )
    writes = ("wallet.operation", "wallet.payment_order")

    def __init__(
        self,
        *,
        source: str = "none",
        source_name: str = "till",
        path: str | None = None,
        path_conn_id: str | None = None,
        query: str | None = None,
        query_conn_id: str | None = None,
        file_format: Mapping[str, Any] | None = None,
        organization_id: str | None = None,
        is_dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.source_name = source_name
        self.path = path
        self.path_conn_id = path_conn_id
        self.query = query
        self.query_conn_id = query_conn_id
        self.file_format = file_format
        self.organization_id = organization_id
        self.is_dry_run = is_dry_run

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.sources.bad_rows import BadRows
        from syrve.sources.errors import UnusableSource
        from syrve.wallet.importing import WalletImport

        if as_text(self.source) is None:
            raise AirflowSkipException("No source is set; see SYRVE_WALLET_IMPORT_SOURCE")
        name = str(self.source_name)
        if name not in settings.WALLET_IMPORT_NAMES:
            raise UnusableSource(
                f"source_name must be one of those that SYRVE_WALLET_IMPORT_NAME lists ({', '.join(settings.WALLET_IMPORT_NAMES)})"
            )
        dry_run = reads_as_dry_run(self.is_dry_run, context)
        with (
            opened_source(
                self.source,
                path=self.path,
                path_conn_id=self.path_conn_id,
                query=self.query,
                query_conn_id=self.query_conn_id,
                file_format=self.file_format,
                is_saved=self._is_saved(),
            ) as opened,
            BadRows() as bad_rows,
        ):
            job = WalletImport(
                self.warehouse(),
                key=task_key(context),
                source=name,
                organization_id=as_text(self.organization_id),
                dry_run=dry_run,
                place=opened.place,
                bad_rows=bad_rows,
            )
            counts = job.run(opened.source)
            self.finish(context, counts, is_trial=dry_run)
            return report_import(opened, counts, bad_rows, dry_run=dry_run, created=job.created)

    def _is_saved(self) -> bool:
        """Whether the query is the one of the settings, which whoever runs the deployment chose, and the form reads it as it is."""
        from syrve.sources.file_format import FileFormat

        if FileFormat.of(self.file_format) != FileFormat():
            return False
        saved = (settings.WALLET_IMPORT_QUERY, settings.WALLET_IMPORT_DATABASE)
        return None not in map(as_text, saved) and (as_text(self.query), as_text(self.query_conn_id)) == tuple(
            map(as_text, saved)
        )


class SyrveTransactionsOperator(SyrveOperator):
    """Reads the transactions of customers with open holds, those read longest ago first (dialect `cloud` only); returns the counts.

    Then it looks at customers whose money we moved an hour ago or more, each once, at most as many again.
    """

    template_fields: Sequence[str] = ("organization_ids", "customers")
    reads = ("wallet.hold",)
    writes = ("wallet.operation", "wallet.transaction")

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        customers: int | str = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.customers = customers

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the report."""
        from syrve.organizations import chosen
        from syrve.wallet.look_again import LookAgain
        from syrve.wallet.transactions import TransactionsImport

        hook = self.syrve()
        config = hook.config()
        if not config.capabilities.reports_transactions:
            raise AirflowSkipException(f"The dialect {config.dialect} has no transactions report")
        warehouse = self.warehouse()
        with open_budget(warehouse, config, bulk=True) as budget, hook.get_conn(budget) as client:
            visible = [each.organization_id for each in client.organizations()]
            organization_ids, customers = (
                chosen(visible, as_texts(self.organization_ids)),
                as_number(self.customers) or 1,
            )
            key = task_key(context)
            counts = TransactionsImport(warehouse, client, key=key).run(organization_ids, customers=customers)
            counts.add(LookAgain(warehouse, client, key=key).run(organization_ids, customers=customers))
        log.info("Done: %s", told(counts))
        self.finish(context, counts)
        return counts.as_dict()
