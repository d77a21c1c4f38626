"""Makes a check of `sql/checks` and keeps its result."""

from __future__ import annotations

import json
import time

from syrve.quality.checks import Check, CheckResult
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

EXAMPLES = 20
"""Failures that a result names; it counts all of them."""


def make_check(warehouse: Warehouse, check: Check, *, run_id: str) -> CheckResult:
    """Make one check and keep its result in `sync.check_result`, in one transaction. Raises `WarehouseError`."""
    started = time.monotonic()
    with warehouse.transaction(f"make the check {check.name}") as cursor:
        cursor.execute(
            f"select count(*) over (), subject, detail from ({check.query}) as failing limit %(examples)s",  # noqa: S608 - a file of ours
            {"examples": EXAMPLES},
        )
        rows = cursor.fetchall()
        examples = tuple((tuple(map(str, subject)), str(detail)) for _, subject, detail in rows)
        result = CheckResult(check, int(rows[0][0]) if rows else 0, examples)
        cursor.execute(
            sql("quality/result.sql"),
            {
                "run_id": run_id,
                "check_name": check.name,
                "failures": result.failures,
                "examples": json.dumps([{"subject": ids, "detail": detail} for ids, detail in examples]),
                "seconds": round(time.monotonic() - started, 3),
            },
        )
    return result
