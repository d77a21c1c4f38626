"""What only a real scheduler, executor and worker process can show."""

import os
from collections import Counter
from decimal import Decimal
from typing import Any

import psutil

from e2e_support import wait_until

BATCH_SIZE = 25


def test_run_lands_the_roster_and_publishes_the_tables(airflow: Any) -> None:
    customers = airflow.fresh(organizations=2, customers=150)

    outcome, run = airflow.run("syrve_customers")

    assert outcome == "success"
    assert airflow.rows("select count(*) from syrve.customer") == [(len(customers),)]
    assert airflow.rows("select sum(changed)::int from sync.run where run_id = %s", run.run_id) == [(300,)]
    assert set(airflow.task_states().values()) == {"success"}
    events = airflow.rows(
        "select replace(substring(a.uri from '^postgres://[^/]+/[^/]+/(.*)$'), '/', '.'), e.extra::jsonb ->> 'changed'"
        " from asset_event e join asset a on a.id = e.asset_id where e.source_run_id = %s and e.source_task_id = 'publish' order by 1",
        run.run_id,
        database="airflow",
    )
    tables = ("syrve.card", "syrve.customer", "syrve.customer_category", "syrve.wallet_balance")
    assert events == [(table, "300") for table in tables]
    aliases = airflow.rows(
        "select distinct l.name from asset_alias_asset_event e join asset_alias l on l.id = e.alias_id order by 1",
        database="airflow",
    )
    assert {(table,) for table in tables} <= set(aliases), "by which other DAGs are scheduled"


def test_tasks_name_organizations_and_link_to_the_page(airflow: Any) -> None:
    (customer,) = airflow.fresh(customers=1)
    assert airflow.run("syrve_customers")[0] == "success"
    _, run = airflow.run("syrve_customers", force=True)
    ((name,),) = airflow.rows(
        "select name from syrve.organization where organization_id = %s", customer["organization_id"]
    )

    shown = airflow.rows(
        "select rendered_map_index from task_instance where run_id = %s and task_id = 'pull'",
        run.run_id,
        database="airflow",
    )
    assert shown == [(f"{name} / 0",)]
    links = "select key, value #>> '{}' from xcom where run_id = %s and task_id = 'pull' and key like '\\_link%%' order by key"
    base = airflow.state.api_url.rpartition(":")[2]
    found = dict(airflow.rows(links, run.run_id, database="airflow"))
    assert found["_link_SyrvePageLink"].endswith(f":{base}/syrve/freshness")
    assert found["_link_SyrveRejectsLink"].endswith(f":{base}/syrve/rejects")


def test_forced_second_run_changes_no_row_and_publishes_nothing(airflow: Any) -> None:
    airflow.fresh(customers=100)
    assert airflow.run("syrve_customers")[0] == "success"
    assert airflow.run("syrve_coupons")[0] == "success"
    read = "select xmin::text, ctid::text from syrve.{} order by 2"
    tables = ("organization", "customer", "wallet_balance", "card", "customer_category", "coupon_series")
    before = [airflow.rows(read.format(table)) for table in tables]

    outcome, run = airflow.run("syrve_customers", force=True)
    again, _ = airflow.run("syrve_coupons")

    assert (outcome, again) == ("success", "success")
    assert [airflow.rows(read.format(table)) for table in tables] == before
    query = "select sum(found)::int, sum(changed)::int, sum(unchanged)::int from sync.run where run_id = %s"
    assert airflow.rows(query, run.run_id) == [(100, 0, 100)]
    assert airflow.task_states()["publish"] == "skipped"


def test_customer_whose_wallet_moved_is_looked_up_when_due(airflow: Any) -> None:
    customers = airflow.fresh(customers=50)
    guest = next(each for each in customers if each["wallets"])
    wallet = guest["wallets"][0]

    def move_to(balance: str) -> None:
        balances = {wallet["id"]: Decimal(balance)}
        airflow.simulator.change_customer(guest["organization_id"], guest["customer_id"], balances=balances)

    assert airflow.run("syrve_customers")[0] == "success"
    move_to("700.10")
    assert airflow.run("syrve_customers", force=True)[0] == "success"
    move_to("700.20")
    airflow.rows("update sync.roster set due_at = now()")

    outcome, run = airflow.run("syrve_customers")

    assert outcome == "success"
    assert airflow.rows("select sum(changed)::int from sync.run where run_id = %s", run.run_id) == [(1,)]
    history = (
        "select balance, valid_to is null from syrve.wallet_balance_history "
        "where customer_id = %s and wallet_id = %s order by valid_from"
    )
    assert airflow.rows(history, guest["customer_id"], wallet["id"]) == [
        (Decimal(wallet["balance"]), False),
        (Decimal("700.10"), False),
        (Decimal("700.20"), True),
    ]


def test_refused_login_fails_the_run_at_once_and_says_what_to_do(airflow: Any) -> None:
    airflow.fresh(customers=10)
    airflow.simulator.set_faults([{"operation": "access_token", "fault": "status", "status": 401, "probability": 1.0}])

    outcome, run = airflow.run("syrve_customers")

    assert outcome == "failed"
    assert airflow.note(run) == "Result: Failed at plan, see the log."
    assert [task.try_number for task in airflow.last_tasks if task.task_id == "plan"] == [1]
    assert "check the password field of the connection" in airflow.task_log(run, "plan")


def test_organization_without_loyalty_is_passed_over_with_a_finding(airflow: Any) -> None:
    airflow.fresh(organizations=2, customers=60)
    first, second = [each["organization_id"] for each in airflow.simulator.organizations()]
    airflow.simulator.set_switches(organizations_without_loyalty=[second])
    findings = (
        "select organization_id::text, stage from sync.reject where entity = 'organization' and resolved_at is null"
    )

    outcome, _ = airflow.run("syrve_customers")

    assert outcome == "success"
    assert airflow.rows("select distinct organization_id::text from syrve.customer") == [(first,)]
    states = airflow.task_states()
    assert sorted(state for label, state in states.items() if label.startswith("pull")) == ["skipped", "success"]
    assert states["publish"] == "success"
    assert airflow.rows(findings) == [(second, "customer_info")]

    airflow.simulator.set_switches(organizations_without_loyalty=[])
    assert airflow.run("syrve_customers")[0] == "success"
    assert airflow.rows("select count(distinct organization_id) from syrve.customer") == [(2,)]
    assert airflow.rows(findings) == []


def test_dag_that_fails_is_an_alert_until_it_goes_well(airflow: Any) -> None:
    airflow.fresh(customers=10)
    airflow.rows("truncate sync.alert")
    airflow.simulator.set_faults([{"operation": "access_token", "fault": "status", "status": 401, "probability": 1.0}])
    assert airflow.run("syrve_customers")[0] == "failed"
    query = "select subject, ended_at is null from sync.alert where subject = 'syrve_customers'"

    outcome, looked = airflow.run("syrve_balances")
    assert (outcome, airflow.rows(query)) == ("failed", [("syrve_customers", True)]), "it looks all the same"
    assert "syrve_customers runs by itself and fails" in airflow.task_log(looked, "alert")

    airflow.simulator.clear_faults()
    assert airflow.run("syrve_customers")[0] == "success"
    assert airflow.run("syrve_balances")[0] == "success"
    assert airflow.rows(query) == [("syrve_customers", False)]


def test_failing_organization_fails_alone_and_visibly(airflow: Any) -> None:
    airflow.fresh(organizations=2, customers=60)
    first, second = [each["organization_id"] for each in airflow.simulator.organizations()]
    airflow.rows(
        f"alter table sync.roster add constraint broken check (organization_id <> '{second}' or lease is null) not valid"
    )

    try:
        outcome, run = airflow.run("syrve_customers")
    finally:
        airflow.rows("alter table sync.roster drop constraint broken")

    assert outcome == "failed"
    assert airflow.note(run) == "Result: Failed at pull, see the log; 60 looked up, 60 changed."
    assert airflow.rows("select distinct organization_id::text from syrve.customer") == [(first,)]
    states = airflow.task_states()
    assert sorted(state for label, state in states.items() if label.startswith("pull")) == ["failed", "success"]
    assert (states["publish"], states["all_pulled"]) == ("success", "upstream_failed")
    assert "CheckViolation" in airflow.task_log(run, "pull")


def test_rate_limit_is_waited_for_and_not_failed(airflow: Any) -> None:
    airflow.fresh(customers=40)
    rule = {"operation": "customer_info", "fault": "rate_limit", "retry_after_seconds": 1, "count": 10}
    airflow.simulator.set_faults([rule])

    outcome, run = airflow.run("syrve_customers")

    assert outcome == "success"
    query = "select sum(found)::int, sum(rate_limited)::int, sum(retries)::int from sync.run where run_id = %s"
    assert airflow.rows(query, run.run_id) == [(40, 10, 10)]


def test_killed_worker_loses_nothing_and_at_most_one_batch_is_looked_up_again(airflow: Any) -> None:
    customers = airflow.fresh(customers=300)
    airflow.simulator.set_switches(latency_ms=150)
    killed = airflow.start("syrve_customers", batch_size=BATCH_SIZE)
    query = "select coalesce(sum(found), 0)::int from sync.run where run_id = %s"
    wait_until(lambda: airflow.rows(query, killed.run_id)[0][0] >= 2 * BATCH_SIZE, "two batches have landed")

    worker = _worker_of(airflow.simulator_port)
    worker.kill()
    wait_until(lambda: not _is_alive(worker), "the worker is gone")
    airflow.simulator.set_switches(latency_ms=0)
    landed = airflow.rows("select count(*) from syrve.customer")[0][0]
    assert 2 * BATCH_SIZE <= landed < len(customers)
    outcome, run = airflow.run("syrve_customers", batch_size=BATCH_SIZE)
    airflow.api.cancel(killed.dag_id, killed.run_id)

    assert outcome == "success"
    assert airflow.rows("select count(*) from syrve.customer") == [(len(customers),)]
    assert airflow.rows("select count(*) from sync.roster where outcome = 'found' and lease is null") == [(300,)]
    assert airflow.rows(query, run.run_id) == [(len(customers) - landed,)], "what had landed was not asked for again"
    lookups = Counter({each["value"]: each["count"] for each in airflow.simulator.lookups()})
    assert set(lookups) == {each["phone"] for each in customers}
    assert sum(lookups.values()) - len(customers) <= BATCH_SIZE
    assert max(lookups.values()) <= 2


def _worker_of(port: int) -> psutil.Process:
    """Find the process that looks customers up: the one of Airflow's that is connected to the simulator."""
    for connection in psutil.net_connections("tcp"):
        # This process talks to the simulator too, and xdist writes the test's name, airflow included, into its command line.
        if connection.raddr and connection.raddr.port == port and connection.pid not in (None, os.getpid()):
            process = psutil.Process(connection.pid)
            if "airflow" in " ".join(process.cmdline()):
                return process
    raise AssertionError("no worker is connected to the simulator")


def _is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
