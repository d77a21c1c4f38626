"""syrve_checks through a real scheduler: sound data pass, a planted fault fails the task of its check and no other."""

from typing import Any

from devstack import names


def test_planted_fault_fails_the_task_of_its_check_only(airflow: Any) -> None:
    [customer] = airflow.fresh(customers=1)
    airflow.rows("truncate wallet.operation, wallet.operation_look, wallet.operation_event, sync.check_result")
    outcome, _ = airflow.run(names.CUSTOMERS_DAG)
    assert outcome == "success"
    outcome, run = airflow.run(names.CHECKS_DAG)
    results = "select check_name, failures from sync.check_result where run_id = %s order by check_name"
    sound = airflow.rows(results, run.run_id)
    assert (outcome, {failures for _, failures in sound}) == ("success", {0})

    airflow.rows("delete from syrve.customer where customer_id = %s", customer["customer_id"])
    outcome, run = airflow.run(names.CHECKS_DAG)

    assert outcome == "failed"
    failed = [task for task, state in airflow.task_states().items() if state != "success"]
    assert failed == ["no_orphans"]
    found = dict(airflow.rows(results, run.run_id))
    assert len(found) == len(sound)
    assert found.pop("no_orphans") >= 1
    assert set(found.values()) == {0}
    text = airflow.task_log(run, "no_orphans")
    assert customer["customer_id"] in text
    assert "What to do: Start syrve_backfill" in text
    assert customer["phone"].lstrip("+") not in text
