"""Backfills as ops run them: by the form of `syrve_backfill`, and by `airflow backfill create` for DAGs with data intervals."""

from datetime import UTC, datetime, timedelta
from typing import Any

from devstack import names
from e2e_support import wait_until


def test_dry_run_and_then_the_real_one_say_on_the_run_how_far_they_are(airflow: Any) -> None:
    customers = airflow.fresh(organizations=2, customers=120)
    airflow.rows("update sync.roster set checked_at = now() - interval '1 hour', due_at = now() + interval '1 day'")
    form = {"force": True, "shard_size": 60, "batch_size": 10}

    outcome, dry = airflow.run(names.BACKFILL_DAG, **form)

    assert (outcome, airflow.task_states()) == (
        "success",
        {"plan": "success", "pull": "skipped", "publish": "skipped", "all_pulled": "success"},
    )
    assert str(airflow.note(dry)).startswith(
        "Result: Dry run, nothing was written: 240 look-ups in 2 organization(s), at least "
    )
    assert airflow.simulator.lookups() == []
    assert airflow.rows("select count(*) from sync.backfill") == [(0,)]

    airflow.simulator.set_switches(latency_ms=20)
    outcome, run = airflow.run(names.BACKFILL_DAG, **form, dry_run=False)

    assert outcome == "success"
    assert set(airflow.task_states().values()) == {"success"}
    assert airflow.note(run) == "Result: 240 looked up, 240 changed."
    assert {each["value"]: each["count"] for each in airflow.simulator.lookups()} == {
        each["phone"]: 1 for each in customers
    }
    assert airflow.rows("select count(*) from sync.roster where backfill_id is not null or due_at < now()") == [(0,)]
    assert most_at_once(airflow, run) == 2, "the pool's other slots are for scheduled work"


def most_at_once(airflow: Any, run: Any) -> int:
    """How many of the run's pulls were at work at the same time."""
    query = "select start_date, end_date from task_instance where run_id = %s and task_id = 'pull'"
    times = airflow.rows(query, run.run_id, database=names.METADATA_DATABASE)
    assert len(times) == 4
    return max(sum(bool(start <= moment < end) for start, end in times) for moment, _ in times)


def test_past_intervals_of_the_pull_are_run_by_airflows_own_backfill(airflow: Any) -> None:
    airflow.fresh(customers=20)
    first_hour = (datetime.now(UTC) - timedelta(days=2)).replace(minute=17, second=0, microsecond=0)
    window = ["--from-date", first_hour.isoformat(), "--to-date", (first_hour + timedelta(hours=1)).isoformat()]

    airflow.command("backfill", "create", "--dag-id", names.CUSTOMERS_DAG, *window, "--max-active-runs", "1")

    query = "select state from dag_run where dag_id = %s and run_type = 'backfill'"
    wait_until(
        lambda: (
            sorted(airflow.rows(query, names.CUSTOMERS_DAG, database=names.METADATA_DATABASE)) == [("success",)] * 2
        ),
        "both intervals have been run",
        timeout_seconds=400,
    )
    assert airflow.rows("select count(*) from syrve.customer") == [(20,)]
    notes = "select n.content from dag_run_note n join dag_run r on r.id = n.dag_run_id where r.dag_id = %s and r.run_type = 'backfill'"
    assert ("Result: 20 looked up, 20 changed.",) in airflow.rows(
        notes, names.CUSTOMERS_DAG, database=names.METADATA_DATABASE
    ), "without anybody who started it"
