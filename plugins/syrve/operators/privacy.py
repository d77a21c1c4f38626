"""Operators that forget a person, hand out what is known of one, and keep retention."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from syrve.operators import settings
from syrve.operators.base import SyrveOperator, WarehouseOperator, planning_run_of, run_of
from syrve.operators.own_templates import OwnTemplates
from syrve.operators.rendered import as_flag, as_text, as_texts
from syrve.operators.source_base import SourceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from syrve.approvals.book import RunOf
    from syrve.warehouse.database import Warehouse

log = logging.getLogger(__name__)

SOURCES = ("ids", "file", "query")


def receipts_folder() -> ObjectStoragePath:
    """Return the folder of the receipts of erasures: `erasures` among the reports."""
    return _folders()["reports"] / "erasures"


def _folders() -> dict[str, ObjectStoragePath]:
    """Return the folders that we write, by kind of retention."""
    from syrve.hooks.storage import reports_folder

    return {
        "reports": reports_folder(settings.REPORTS_PATH, settings.REPORTS_CONNECTION),
        "exports": reports_folder(settings.EXPORTS_PATH, settings.EXPORTS_CONNECTION, default="exports"),
    }


def _inboxes() -> Iterator[Any]:
    """Give the folders and buckets of the inbox."""
    from pathlib import Path

    from syrve.hooks.storage import storage_path
    from syrve.sources.inbox import parse_inbox

    for each in parse_inbox(settings.inbox()):
        if each.scheme == "file":
            yield Path(each.root)
        else:
            yield storage_path(f"{each.scheme}://{each.bucket}/{each.root}", each.conn_id)


class SyrvePlanErasureOperator(SourceOperator, SyrveOperator):
    """Pins the people to erase for approval; returns counts and the digest to approve. A dry run counts the same and pins no one.

    `source` is `ids` (`customer_ids` of `organization_id`), `file` or `query`, with rows as of a roster import: id, phone or card.
    """

    # Not among them: customer_ids, which Airflow would keep and show once more; execute renders it.
    template_fields: Sequence[str] = (*SourceOperator.template_fields, "organization_id", "is_dry_run")
    reads = ("syrve.customer", "sync.roster")
    writes = ("privacy.erasure",)

    def __init__(
        self,
        *,
        source: str = "ids",
        organization_id: str | None = None,
        customer_ids: list[str] | str | None = None,
        is_dry_run: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(source=source, **kwargs)
        self.organization_id = organization_id
        self.customer_ids = customer_ids
        self.is_dry_run = is_dry_run

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan the erasure."""
        from syrve.privacy.erase import plan_erasure

        is_dry_run, warehouse = as_flag(self.is_dry_run), self.warehouse()
        run = run_of(context) if is_dry_run else planning_run_of(context, warehouse)
        with self._people(context) as people:
            plan = plan_erasure(
                warehouse,
                people,
                run=run,
                region=self.syrve().config().default_region,
                organization_id=as_text(self.organization_id),
                dry_run=is_dry_run,
            )
        log.info("%d person(s) would be erased, of whom %d have no customer", plan.people, plan.without_customer)
        for reason, count in (plan.hindered + plan.rejected).items():
            log.warning("%d person(s) or row(s) are left out: %s", count, reason)
        return plan.as_dict() | {"is_to_be_asked": bool(plan.people) and not is_dry_run}

    @contextmanager
    def _people(self, context: Context) -> Iterator[Any]:
        from syrve.operators.backfill import rows_of_ids
        from syrve.privacy.errors import UnusableRequest

        ids = as_texts(self.render_template(self.customer_ids, context))
        if self.source == "ids":
            if not ids:
                raise UnusableRequest("plan an erasure: the source is ids, but customer_ids is empty")
            yield rows_of_ids(ids)
            return
        if ids:
            raise UnusableRequest(f"plan an erasure: customer_ids is filled, but source is {self.source}; empty one")
        with self.opened() as opened:
            yield opened.source


class SyrveErasureGateOperator(OwnTemplates, BaseOperator):
    """Lets an erasure go on to approval; skips itself for a preview, and if no person is left to erase."""

    template_fields: Sequence[str] = ("is_to_be_asked",)

    def __init__(self, *, is_to_be_asked: bool | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_to_be_asked = is_to_be_asked

    def execute(self, context: Context) -> None:
        """Pass, or skip."""
        if not as_flag(self.is_to_be_asked):
            raise AirflowSkipException("A preview, or no person to erase: nothing is asked and nothing is erased")


class SyrveEraseOperator(WarehouseOperator):
    """Erases the people of this run that were approved, one transaction each, and writes their receipts; returns rows by table."""

    template_fields: Sequence[str] = ()
    reads = ("privacy.erasure",)
    writes = ("syrve.customer", "sync.roster", "crm.customer", "privacy.erased_key")

    def execute(self, context: Context) -> dict[str, int]:
        """Erase; also what an earlier try erased gets its receipts, and is taken out of the files, if others can't be erased now."""
        from syrve.privacy.erase import erase_people

        warehouse, run = self.warehouse(), run_of(context)
        folders, inboxes = _folders(), list(_inboxes())  # one that cannot be opened is reported before anyone is erased
        done: Mapping[str, int] = {}
        try:
            done = erase_people(warehouse, run)
        finally:
            tidied = self._tidy_up(warehouse, run, folders, inboxes)
        log.info("%d person(s) erased, %d file(s) deleted that named them", done["people"], tidied["deleted_files"])
        return dict(done) | tidied

    def _tidy_up(
        self, warehouse: Warehouse, run: RunOf, folders: Mapping[str, Any], inboxes: Sequence[Any]
    ) -> dict[str, int]:
        """Do what lies outside of the erasing transactions; repeated, it does what is left."""
        from syrve.privacy.erase import renew_statistics
        from syrve.privacy.files import scrub_files
        from syrve.privacy.receipts import write_receipts

        receipts = write_receipts(warehouse, run, receipts_folder())
        log.info("%d receipt(s) are written", receipts)
        renew_statistics(warehouse)
        files = scrub_files(warehouse, run, inboxes=inboxes, exports=[folders["exports"]], reports=[folders["reports"]])
        for name in files.named:
            log.warning("%s of the inbox still names people who were erased; delete or correct it", name)
        for name in files.unread:
            log.warning("%s of the inbox can't be searched; look through it yourself", name)
        return {
            "deleted_files": files.deleted,
            "rewritten_files": files.rewritten,
            "naming_files": len(files.named),
            "unread_files": len(files.unread),
            "receipts": receipts,
        }


class SyrveExportCustomerOperator(WarehouseOperator):
    """Writes all that the warehouse holds about one customer as JSON into a folder; returns the file's name and counts by table."""

    template_fields: Sequence[str] = ("organization_id", "customer_id", "path", "path_conn_id")
    reads = ("syrve.customer",)

    def __init__(
        self,
        *,
        organization_id: str,
        customer_id: str,
        path: str | None = settings.EXPORTS_PATH,
        path_conn_id: str | None = settings.EXPORTS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.customer_id = customer_id
        self.path = path
        self.path_conn_id = path_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the file."""
        from uuid import uuid4

        from syrve.hooks.storage import reports_folder
        from syrve.privacy.errors import UnusableRequest
        from syrve.privacy.export import export_customer
        from syrve.whole_files import put_whole

        organization_id, customer_id = as_text(self.organization_id), as_text(self.customer_id)
        if organization_id is None or customer_id is None:
            raise UnusableRequest("export a customer: fill organization_id and customer_id")
        found = export_customer(self.warehouse(), organization_id, customer_id)
        folder = reports_folder(self.path, self.path_conn_id, default="exports")
        name = f"{uuid4()}.json"
        put_whole(folder / name, json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True).encode())
        log.info("What is held about the customer is in %s; hand it out, then delete it", name)
        return {"file": name, "rows": {table: len(rows) for table, rows in found.items()}}


class SyrveMaintenanceOperator(WarehouseOperator):
    """Deletes what is older than its retention, a batch per transaction, and returns rows and files by kind; `keep_days` is by kind."""

    template_fields: Sequence[str] = ("keep_days",)

    def __init__(
        self,
        *,
        keep_days: Mapping[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keep_days = dict(keep_days or {})

    def execute(self, context: Context) -> dict[str, int]:
        """Forget again whom a restore brought back, then prune."""
        from syrve.customers.roster import uncover_lost
        from syrve.privacy.erase import renew_statistics
        from syrve.privacy.errors import UnreadableReceipts
        from syrve.privacy.old_files import prune_files
        from syrve.privacy.receipts import forget_again, write_missing_receipts
        from syrve.privacy.retention import add_partitions, keep_days, prune

        warehouse = self.warehouse()
        taken_back, returned, unreadable = forget_again(warehouse, receipts_folder())
        if returned:
            log.warning("%d person(s) who were erased had come back, and are erased again", returned)
            renew_statistics(warehouse)
        if written := write_missing_receipts(warehouse, receipts_folder()):
            log.warning("%d receipt(s) of erasures were missing, and are written", written)
        removed = prune(warehouse, self.keep_days)
        removed |= prune_files(_folders(), keep_days(self.keep_days))
        for kind, number in removed.items():
            log.info("%s: %d removed", kind, number)
        counts = {"partitions_added": add_partitions(warehouse), "identities_uncovered": uncover_lost(warehouse)}
        if unreadable:
            raise UnreadableReceipts(
                f"{unreadable} receipt(s) of erasures can't be read: after a restore these people could come back. Everything else was "
                "done; the log names the files"
            )
        return (
            removed
            | {"receipts_taken_back": taken_back, "receipts_written": written, "erased_again": returned}
            | counts
        )
