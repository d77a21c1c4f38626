"""Buttons of a task in Airflow: the view of the Syrve page that shows its work, the rejects, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PAGE = "/syrve"
VIEWS: Mapping[str, str] = {
    "syrve_customers": "freshness",
    "syrve_balances": "freshness",
    "syrve_backfill": "backfill",
    "syrve_crm_push": "push",
    "syrve_reconcile_holds": "holds",
    "syrve_release_holds": "holds",
}
"""The view of each DAG; the others are on the overview."""


def page_url(view: str = "") -> str:
    """Return the address of a view of the Syrve page, under the base address of Airflow."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{PAGE}/{view}"


class SyrvePageLink(BaseOperatorLink):
    """The view of the page that shows what the task works on."""

    name = "Syrve page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address."""
        return page_url(VIEWS.get(ti_key.dag_id, ""))


class SyrveRejectsLink(BaseOperatorLink):
    """What could not be imported."""

    name = "Rejects"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address."""
        return page_url("rejects")


class SyrveInboxLink(BaseOperatorLink):
    """Where a question of a run is answered on the page, beside everything else that waits."""

    name = "Syrve inbox"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address."""
        return page_url("inbox")


class SyrveReportLink(BaseOperatorLink):
    """The report that the task wrote, if it is at an address that a browser can open."""

    name = "Report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address, or an empty text."""
        link = str(getattr(operator, "report_link", ""))
        return link if link.startswith(("https://", "http://")) else ""
