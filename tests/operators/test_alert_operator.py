"""Which DAGs count as failing: those that run by themselves and whose last ended run failed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstack.cli import REPOSITORY
from syrve.operators.alerts import WATCHED_DAGS, failing_dags

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)


def airflow_with(
    failed: int | None,
    went_well: int | None,
    *,
    run_type: str = "scheduled",
    is_paused: bool = False,
    next_run: bool = True,
) -> Any:
    """Answers for Airflow: hours since the last failed run and the last that went well."""

    def answer(message: str, *, dag_id: str, state: str = "", **_: Any) -> Any:
        if message == "GetDag":
            return SimpleNamespace(dag_id=dag_id, is_paused=is_paused, next_dagrun=NOW if next_run else None)
        hours = failed if state == "failed" else went_well
        return None if hours is None else SimpleNamespace(logical_date=NOW - timedelta(hours=hours), run_type=run_type)

    return answer


def test_dag_whose_last_run_failed_is_told_with_the_last_good_one() -> None:
    told = failing_dags(["syrve_customers"], airflow_with(failed=1, went_well=5))

    assert told == {
        "syrve_customers": "syrve_customers runs by itself and fails; the last that went well was that of 2026-11-28 05:00 UTC"
    }
    assert failing_dags(["d"], airflow_with(failed=1, went_well=None)) == {"d": "d runs by itself and fails"}


@pytest.mark.parametrize(
    "asked",
    [
        airflow_with(failed=5, went_well=1),
        airflow_with(failed=None, went_well=1),
        airflow_with(failed=None, went_well=None),
        airflow_with(failed=1, went_well=5, is_paused=True),
        airflow_with(failed=1, went_well=5, run_type="manual", next_run=False),
    ],
    ids=["well since", "never failed", "never ran", "paused", "by hand only"],
)
def test_other_dags_are_not_failing(asked: Any) -> None:
    assert failing_dags(["syrve_customers"], asked) == {}


def test_dag_that_an_asset_starts_counts_as_well() -> None:
    by_asset = airflow_with(failed=1, went_well=None, run_type="asset_triggered", next_run=False)

    assert set(failing_dags(["syrve_crm_push"], by_asset)) == {"syrve_crm_push"}


def test_every_dag_that_may_have_a_schedule_is_watched() -> None:
    with_schedule = {
        path.stem for path in Path(REPOSITORY, "dags").glob("*.py") if "schedule=settings.schedule" in path.read_text()
    }

    assert set(WATCHED_DAGS) == with_schedule
