"""Operators that import into the ledger what others did."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.warehouse import open_budget
from syrve.operators import settings
from syrve.operators.base import SyrveOperator, format_counts, task_key
from syrve.operators.rendered import as_number, as_text, as_texts
from syrve.operators.source_base import ImportOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from syrve.wallet.importing import WalletImport

log = logging.getLogger(__name__)

SOURCES = ("none", "file", "query")


class SyrveWalletImportOperator(ImportOperator):
    """Imports holds, charges, cancellations and order states from a file or a query, as docs/wallet.md says.

    Returns the counts and the first bad rows; a dry run counts the same and writes nothing. The parameters of the source are those of
    `SourceOperator`.
    """

    template_fields: Sequence[str] = (*ImportOperator.template_fields, "source_name")
    writes = ("wallet.operation", "wallet.payment_order")

    def __init__(self, *, source: str = "none", source_name: str = "till", **kwargs: Any) -> None:
        super().__init__(source=source, **kwargs)
        self.source_name = source_name

    def import_job(self, **shared: Any) -> WalletImport:
        """Make the job."""
        from syrve.wallet.importing import WalletImport

        return WalletImport(self.warehouse(), source=str(self.source_name), **shared)

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the source."""
        from syrve.sources.errors import UnusableSource

        if as_text(self.source) is None:
            raise AirflowSkipException("No source is set; see SYRVE_WALLET_IMPORT_SOURCE")
        if str(self.source_name) not in settings.WALLET_IMPORT_NAMES:
            raise UnusableSource(
                f"source_name must be one of those that SYRVE_WALLET_IMPORT_NAME lists ({', '.join(settings.WALLET_IMPORT_NAMES)})"
            )
        return super().execute(context)

    def is_saved_query(self) -> bool:
        """Whether the query is the one of the settings, which the operator of the deployment chose, and the form reads it as it is."""
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
        log.info("Done: %s", format_counts(counts))
        self.finish(context, counts)
        return counts.as_dict()
