"""A push as production runs it: import, look-up, a look at the plan, a person's approval, the push, the read-back."""

from typing import Any

from devstack import names

PHONES = ("+79759970001", "+79759970002")


def import_list(airflow: Any, organization_id: str, lines: list[str]) -> None:
    path = airflow.stack.paths.inbox / "push.csv"
    path.write_text("customer_id,phone,surname\n" + "\n".join(lines) + "\n")
    form = {"path": path.name, "organization_id": organization_id, "dry_run": False}
    assert airflow.run(names.CRM_IMPORT_DAG, **form)[0] == "success"


def push_answered(airflow: Any, answer: str) -> Any:
    """Push for real, answer the question of the run, and return the run, which has succeeded."""
    run = airflow.start(names.CRM_PUSH_DAG, dry_run=False, approval_customers=9)
    airflow.wait_for_question(run, "approve")
    airflow.answer(run, answer, as_admin=True)
    assert airflow.finish(run) == "success"
    return run


def test_desired_states_are_imported_approved_and_pushed(airflow: Any) -> None:
    people = airflow.fresh(customers=20)
    organization_id = airflow.simulator.organizations()[0]["organization_id"]
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    lines = [f"{each['customer_id']},,Маркетинг {number}" for number, each in enumerate(people[:8])]
    lines += [f",{phone},Новый" for phone in PHONES]
    import_list(airflow, organization_id, lines)
    airflow.simulator.reset_calls()

    outcome, run = airflow.run(names.CRM_PUSH_DAG)  # by hand: only a look
    assert outcome == "success"
    assert "10 customer(s) to send: 2 creates, 8 updates" in airflow.task_log(run, "plan")
    assert "create_or_update" not in airflow.simulator.calls()["operations"]

    push_answered(airflow, "Reject")
    assert "create_or_update" not in airflow.simulator.calls()["operations"]

    approved = push_answered(airflow, "Approve")

    assert airflow.simulator.calls()["operations"]["create_or_update"]["received"] == 10
    assert airflow.rows("select outcome, count(*) from crm.push where operation = 'create_or_update' group by 1") == [
        ("acknowledged", 10)
    ]
    assert airflow.rows("select count(*) from crm.customer where customer_id is null") == [(0,)]
    events = airflow.rows(
        "select replace(substring(a.uri from '^postgres://[^/]+/[^/]+/(.*)$'), '/', '.'), e.extra::jsonb ->> 'changed'"
        " from asset_event e join asset a on a.id = e.asset_id"
        " where e.source_run_id = %s and e.source_task_id = 'publish'",
        approved.run_id,
        database="airflow",
    )
    assert events == [("crm.push", "10")]
    assert airflow.run(names.CUSTOMERS_DAG, force=True)[0] == "success"
    assert airflow.run(names.CRM_PUSH_DAG, dry_run=False)[0] == "success"
    assert airflow.rows(
        "select count(*) from syrve.customer where surname like 'Маркетинг%%' or surname = 'Новый'"
    ) == [(10,)]
    assert airflow.rows("select count(*) from sync.reject where entity = 'crm_customer'") == [(0,)]
    assert airflow.rows("select count(*) from crm.remote_change") == [(0,)]
    assert airflow.rows("select count(*) from crm.push_state where pushed is not null") == [(0,)]
