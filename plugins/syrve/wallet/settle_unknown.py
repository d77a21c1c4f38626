"""Looks for evidence of every operation without an outcome, before its findings are evaluated."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from syrve.api.errors import SyrveError
from syrve.wallet.settle import Settler
from syrve.warehouse.database import Warehouse
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.sql_files import sql

log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 3

LEAST_AGE_SECONDS = 120.0
"""The sender of an operation may still be waiting for its answer."""


@dataclass(slots=True)
class SettleResult:
    """How many operations were asked for, settled, and left unknown; `failed` has an organization's error where it could not be asked."""

    asked: int = 0
    settled: int = 0
    unknown: int = 0
    failed: dict[str, SyrveError | WarehouseUnavailable] = field(default_factory=dict)


def settle_unknown(
    settler: Settler, warehouse: Warehouse, organization_ids: Sequence[str], *, operations: int
) -> SettleResult:
    """Settle at most `operations` operations of these organizations (of all, if none is given), youngest first. Raises `WarehouseError`.

    Before them come those whose answer this machine kept while the warehouse was away.

    One operation that can't be asked for does not stop the others; an organization where several in a row can't is left for this time.
    """
    with warehouse.transaction("choose operations without an outcome") as cursor:
        values = {
            "organization_ids": list(organization_ids) or None,
            "operations": operations,
            "least_age_seconds": LEAST_AGE_SECONDS,
            "kept": settler.kept_here,
        }
        cursor.execute(sql("reconcile/unsettled.sql"), values)
        chosen = cursor.fetchall()
    result = SettleResult()
    failures: Counter[str] = Counter()
    for operation_id, organization_id in chosen:
        if failures[organization_id] >= MAX_FAILURES_IN_A_ROW:
            continue
        result.asked += 1
        try:
            settlement = settler.settle(operation_id)
        except (SyrveError, WarehouseUnavailable) as error:
            failures[organization_id] += 1
            result.failed.setdefault(organization_id, error)
            log.warning("Operation %s can't be asked for now: %s", operation_id, error)
            continue
        failures[organization_id] = 0
        if settlement.missing is None:
            result.settled += 1
        else:
            result.unknown += 1
            log.info("Operation %s stays unknown: %s", operation_id, settlement.missing)
    return result
