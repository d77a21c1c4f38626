"""The operator of the data quality checks, on the check operator of Airflow's common.sql provider."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.operators.sql import SQLCheckOperator, SQLCheckResult

from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_warehouse
from syrve.operators.own_templates import OwnTemplates
from syrve.quality.checks import all_checks, check_named

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SyrveDataQualityOperator(OwnTemplates, SQLCheckOperator):
    """Makes one check of `sql/checks`, keeps its result in `sync.check_result`, and fails if the check found anything.

    The failure names rows by ids and says what to do. Listeners such as OpenLineage get the result as from any check of common.sql. The
    warehouse is opened by the project's own hook, because the stock one logs failing rows.
    """

    template_fields: Sequence[str] = ("check", "conn_id")

    def __init__(self, *, check: str, conn_id: str = DEFAULT_WAREHOUSE_CONN_ID, **kwargs: Any) -> None:
        super().__init__(sql=check_named(check).query, conn_id=conn_id, **kwargs)
        self.check = check

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the check. Raises `CheckFailed`."""
        from syrve.quality.errors import CheckFailed
        from syrve.quality.making import make_check

        check = check_named(self.check)
        result = make_check(open_warehouse(str(self.conn_id)), check, run_id=context["run_id"])
        self.check_results = [
            SQLCheckResult(
                name=check.name,
                check_type="no_failing_rows",
                success=result.is_passed,
                expected="0 failures",
                actual=f"{result.failures} failures",
                content=check.query,
                description=check.meaning,
            )
        ]
        if not result.is_passed:
            raise CheckFailed(result.text())
        log.info("%s: nothing found", check.name)
        return {"check": check.name, "failures": 0}


def check_tasks() -> list[SyrveDataQualityOperator]:
    """Make one task per check in the DAG of the context."""
    return [SyrveDataQualityOperator(task_id=each.name, check=each.name) for each in all_checks()]
