"""Operators of the coupon pull."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syrve.hooks.warehouse import open_budget
from syrve.operators.base import SyrveOperator, format_counts, organization_served, task_key
from syrve.operators.rendered import as_texts

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveOrganizationsOperator(SyrveOperator):
    """Lists the organizations of the api login into `syrve.organization` and returns their ids, or those of them that are wanted."""

    template_fields: Sequence[str] = ("organization_ids",)
    writes = ("syrve.organization",)

    def __init__(
        self,
        *,
        organization_ids: list[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids

    def execute(self, context: Context) -> list[str]:
        """List the organizations."""
        from syrve.organizations import chosen

        organizations = self.refreshed_organizations(context)
        return chosen([each.organization_id for each in organizations], as_texts(self.organization_ids))


class SyrvePullCouponsOperator(SyrveOperator):
    """Pulls the coupon series of one organization, and its coupons on the watch list; returns the counts."""

    template_fields: Sequence[str] = ("organization_id",)
    reads = ("sync.coupon_watch",)
    writes = ("syrve.coupon_series", "syrve.coupon")

    def __init__(
        self,
        *,
        organization_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Pull one organization's coupons."""
        from syrve.coupons.pull import CouponPull

        hook = self.syrve()
        warehouse = self.warehouse()
        key = task_key(context)
        with (
            organization_served(warehouse, self.organization_id, operation="coupon_series", key=key),
            open_budget(warehouse, hook.config(), bulk=True) as budget,
            hook.get_conn(budget) as client,
        ):
            pull = CouponPull(warehouse, client, key=key)
            counts = pull.run(self.organization_id)
        log.info("Done: %s", format_counts(counts))
        self.finish(context, counts)
        return counts.as_dict()
