"""Operators that show what reconciliation found: a report for people to open, and messages for people to get."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowSkipException

from syrve.hooks.storage import reports_folder
from syrve.operators.base import WarehouseOperator
from syrve.operators.findings import is_past, moment_of
from syrve.operators.links import SyrveReportLink
from syrve.operators.rendered import as_flag, as_number, as_text, as_texts
from syrve.optional import MissingExtra, require_extra
from syrve.whole_files import SHOWN, put_whole

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from syrve.reports.report import Report

log = logging.getLogger(__name__)


class SyrveFindingsReportOperator(WarehouseOperator):
    """Writes a report of the findings as of the run's moment: a CSV of what was open, and a page with charts; see docs/reports.md.

    The moment is that of `SyrvePlanReconcileOperator`: `as_of` if given, else the end of the interval, else when the run was started.
    `path` is a folder on any storage that Airflow writes (`path_conn_id` if that needs a connection); empty means `reports` in
    `AIRFLOW_HOME`. `url` is where people open that folder. `rows` is how many findings the page lists, `days` how far back it looks.
    Skips itself if the extra `reports` is not installed.
    Returns `csv`, `html` and `link` (texts), `findings`, `at_risk` and `is_newest`. Run again, it writes the same files again.
    """

    template_fields: Sequence[str] = ("as_of", "organization_ids", "path", "path_conn_id", "url", "rows", "days")
    reads = ("wallet.finding", "wallet.finding_version", "wallet.finding_evaluation")

    operator_extra_links: Collection[BaseOperatorLink] = (*WarehouseOperator.operator_extra_links, SyrveReportLink())

    def __init__(
        self,
        *,
        as_of: str | None = None,
        organization_ids: list[str] | str | None = None,
        path: str | None = None,
        path_conn_id: str | None = None,
        url: str | None = None,
        rows: int | str = 50,
        days: int | str = 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.as_of = as_of
        self.organization_ids = organization_ids
        self.path = path
        self.path_conn_id = path_conn_id
        self.url = url
        self.rows = rows
        self.days = days

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the files."""
        try:
            require_extra("reports", "the report")
        except MissingExtra as missing:
            raise AirflowSkipException(f"No report is written: {missing}") from None
        from syrve.findings.rules import all_rules
        from syrve.reports.page import RuleText
        from syrve.reports.report import make_report

        with tempfile.TemporaryDirectory(prefix="syrve-report-") as scratch:
            report = make_report(
                self.warehouse(),
                Path(scratch),
                as_of=moment_of(context, self.as_of),
                run_id=str(context["run_id"]),
                rules={rule.name: RuleText(rule.meaning, rule.what_to_do) for rule in all_rules()},
                organization_ids=as_texts(self.organization_ids),
                days=as_number(self.days) or 30,
                top=as_number(self.rows) or 50,
            )
            folder = reports_folder(self.path, self.path_conn_id)
            for name, file in report.files.items():
                put_whole(folder / name, file, mode=SHOWN)
        return self._result(report, folder)

    def _result(self, report: Report, folder: ObjectStoragePath) -> dict[str, Any]:
        html = str(folder / report.html_name)
        link = link_to(report.html_name, folder, self.url)
        log.info("%d finding(s) are open; the report is %s", report.findings, link)
        self.report_link = link
        return {
            "csv": str(folder / report.csv_name),
            "html": html,
            "link": link,
            "findings": report.findings,
            "at_risk": format(report.at_risk, "f"),
            "is_newest": report.is_newest,
        }


def link_to(name: str, folder: ObjectStoragePath, url: object) -> str:
    """Return where people open a file of the reports: below `url`, or the path itself if there is none."""
    base = as_text(url)
    return f"{base.rstrip('/')}/{name}" if base else str(folder / name)


class SyrveFindingsNotifyOperator(WarehouseOperator):
    """Tells the channels of a connection what changed among the findings since each was last told; see docs/reports.md.

    Only the newest moment is told: in a backfill and where `as_of` is given it skips itself, and where there is no connection too.
    With `has_report` the message links to the report of this run, whose name the run itself gives: an XCom would be a link that other users
    can change; `path`, `path_conn_id` and `url` are as of `SyrveFindingsReportOperator`.
    Money at risk that changed by less than `notable_share` of what was told is not worth a message. Returns the findings told, by
    channel and change. Raises `ChannelFailed` (retried) if a channel did not take its message.
    """

    template_fields: Sequence[str] = (
        "as_of",
        "organization_ids",
        "has_report",
        "path",
        "path_conn_id",
        "url",
        "conn_id",
        "notable_share",
    )
    reads = ("wallet.finding",)
    writes = ("wallet.notification",)

    def __init__(
        self,
        *,
        as_of: str | None = None,
        conn_id: str = "syrve_notifications",
        organization_ids: list[str] | str | None = None,
        has_report: bool | str = False,
        path: str | None = None,
        path_conn_id: str | None = None,
        url: str | None = None,
        notable_share: float | str = 0.1,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("execution_timeout", timedelta(minutes=10))
        super().__init__(**kwargs)
        self.as_of = as_of
        self.conn_id = conn_id
        self.organization_ids = organization_ids
        self.has_report = has_report
        self.path = path
        self.path_conn_id = path_conn_id
        self.url = url
        self.notable_share = notable_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Tell them."""
        from syrve.notifications.channels import open_channels
        from syrve.notifications.tell import Occasion, newest_moment, tell

        if is_past(context, self.as_of):
            raise AirflowSkipException(
                "A past moment is not reported; the next run without one reports the present state"
            )
        as_of, organizations = moment_of(context, None), as_texts(self.organization_ids) or None
        warehouse = self.warehouse()
        newest = newest_moment(warehouse, organizations)
        if newest is None or as_of < newest:
            raise AirflowSkipException(f"Findings as of {as_of} are not the newest, so no channel is notified")
        channels = open_channels(self.conn_id)
        if not channels:
            raise AirflowSkipException(
                f"No connection {self.conn_id}, so no channel is notified; docs/reports.md says how to set one"
            )
        occasion = Occasion(
            as_of,
            str(context["run_id"]),
            link=self._link(as_of, str(context["run_id"])),
            organization_ids=organizations,
            notable_share=float(self.notable_share),
        )
        notified = tell(warehouse, channels, occasion)
        return {channel: dict(counts) for channel, counts in notified.sent.items()}

    def _link(self, as_of: datetime, run_id: str) -> str | None:
        if not as_flag(self.has_report):
            return None
        from syrve.reports.report import file_names

        return link_to(file_names(as_of, run_id)[1], reports_folder(self.path, self.path_conn_id), self.url)
