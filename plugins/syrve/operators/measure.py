"""Measures the warehouse for a monitoring system."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from syrve.operators.base import WarehouseOperator
from syrve.operators.metrics import send_gauges

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveMeasureOperator(WarehouseOperator):
    """Sends the gauges of docs/metrics.md by Airflow's metrics client, which sends nothing unless `[metrics]` turns it on; returns them."""

    template_fields: Sequence[str] = ()
    reads = ("sync.roster", "sync.call_budget", "wallet.hold", "wallet.finding", "wallet.unsettled_operation")

    def execute(self, context: Context) -> dict[str, float]:
        """Measure."""
        measured = send_gauges(self.warehouse())
        for name, value in measured.items():
            log.info("%s: %g", name, value)
        return measured
