"""Asks a person before a large push. In a module of its own: what it is built on is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveApprovePushOperator(ApprovalOperator):
    """Lets a plan of up to `approval_customers` customers pass, and asks a person about a larger one; no answer in time is a no.

    The question shows counts and field names. A rejected plan is not sent; the next run plans anew.
    """

    template_fields: Sequence[str] = ("approval_customers",)

    def __init__(
        self,
        *,
        approval_customers: int | str = 1_000,
        response_hours: float = 24.0,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("subject", "Send this push to Syrve?")
        kwargs.setdefault("defaults", self.REJECT)
        kwargs.setdefault("response_timeout", timedelta(hours=response_hours))
        super().__init__(**kwargs)
        self.approval_customers = approval_customers
        self.response_hours = response_hours
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> Any:
        """Ask, or pass."""
        from syrve.crm.verdict import plan_of_run

        found = plan_of_run(open_warehouse(self.warehouse_conn_id), context["run_id"])
        if found is None or found[1] or found[0].size <= int(self.approval_customers):
            log.info("No approval is needed")
            return None
        self.body = f"{found[0].told()}\n\nThe exact changes are in crm.push_plan, plan_id {found[0].plan_id}."
        return super().execute(context)
