"""A push of a realistic size while everything goes wrong; the simulator's own record is the judge."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e_support import wait_until
from fixtures.pushes import Pushing
from syrve.api.config import SyrveConfig
from syrve.crm.push_settings import PushSettings
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import start_simulator

CUSTOMERS, EDITED, NEW = 10_000, 280, 20
WORKER = Path(__file__).parents[1] / "push_worker.py"
FAULTS = [
    {"operation": operation, "probability": 0.1} | fault
    for operation in ("create_or_update", "customer_info")
    for fault in (
        {"fault": "status", "status": 500},
        {"fault": "rate_limit", "retry_after_seconds": 0},
        {"fault": "reset_after"},
        {"fault": "stall", "stall_seconds": 0.3},
    )
]
WIRE = {
    "name": "name",
    "surname": "surname",
    "email": "email",
    "phone": "phone",
    "receives_promo": "shouldReceivePromoActionsInfo",
}


@pytest.fixture
def crowd(warehouse: Warehouse) -> Iterator[Pushing]:
    with start_simulator(customers=CUSTOMERS, organizations=1, seed=5, record_requests=True) as process:
        config = SyrveConfig(base_url=process.url, api_login="demo-login")
        yield Pushing(process, warehouse, config, settings=PullSettings(batch_size=2_000))


def start_worker(pushing: Pushing, dsn: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), dsn, pushing.simulator.url, pushing.organization_id]
    return subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fill(pushing: Pushing) -> dict[str, dict[str, Any]]:
    """Mirror everybody, let the CRM take them over, and edit some; returns what the CRM wants by identity."""
    pushing.add(phone=[each["phone"] for each in pushing.simulator.control.customers(pushing.organization_id)])
    pushing.pull()
    pushing.execute(
        """
        insert into crm.customer (organization_id, customer_id, phone, name, surname, email)
        select organization_id, customer_id, phone, name, surname, email from syrve.customer order by customer_id
        """
    )
    plan = pushing.plan()
    assert (plan.size, plan.agreed) == (0, CUSTOMERS)
    pushing.execute(
        """
        update crm.customer
        set
            name = 'Новое ' || crm_id,
            email = case when crm_id %% 3 = 0 then 'new' || crm_id || '@example.com' else email end
        where crm_id <= %s
        """,
        EDITED,
    )
    pushing.execute(
        """
        insert into crm.customer (organization_id, phone, name, receives_promo)
        select %s, '+7975998' || lpad(n::text, 4, '0'), 'Новый ' || n, n %% 2 = 0 from generate_series(1, %s) as numbers (n)
        """,
        pushing.organization_id,
        NEW,
    )
    edited = pushing.rows("select customer_id::text, name, email, crm_id from crm.customer where crm_id <= %s", EDITED)
    wanted = {
        customer_id: {"name": name} | ({"email": email} if crm_id % 3 == 0 else {})
        for customer_id, name, email, crm_id in edited
    }
    new = pushing.rows("select phone, name, receives_promo from crm.customer where customer_id is null")
    return wanted | {phone: {"phone": phone, "name": name, "receives_promo": promo} for phone, name, promo in new}


def acknowledged(crowd: Pushing, least: int) -> bool:
    return bool(crowd.value("select count(*) >= %s from crm.push where outcome = 'acknowledged'", least))


def test_everything_arrives_once_and_nothing_else_under_faults_and_two_kills(
    crowd: Pushing, warehouse_dsn: str
) -> None:
    wanted = fill(crowd)
    crowd.simulator.control.reset_calls()
    crowd.simulator.control.set_faults(FAULTS)

    for landed in (60, 160):
        worker = start_worker(crowd, warehouse_dsn)
        wait_until(partial(acknowledged, crowd, landed), f"{landed} changes are acknowledged", 120)
        worker.kill()
        worker.communicate()
        assert worker.returncode == -9
    output, _ = start_worker(crowd, warehouse_dsn).communicate(timeout=240)
    # whoever was created with a lost answer is compared once looked up
    crowd.simulator.control.clear_faults()
    calls = crowd.simulator.control.calls()
    crowd.pull()
    last, _ = start_worker(crowd, warehouse_dsn).communicate(timeout=60)

    assert "0 customer(s) to send" in output.splitlines()[-1], output
    assert "0 customer(s) to send" in last.splitlines()[-1], last
    _judge_state(crowd, wanted)
    _judge_requests(crowd, wanted)
    _judge_record(crowd, calls)


def _judge_state(crowd: Pushing, wanted: dict[str, dict[str, Any]]) -> None:
    with crowd.client() as client:
        for identity, fields in wanted.items():
            look_up = client.customer_by_phone if identity.startswith("+") else client.customer_by_id
            found = look_up(crowd.organization_id, identity)
            assert {name: getattr(found, name) for name in fields} == fields
    [organization] = crowd.simulator.control.organizations()
    assert organization["customers"] == CUSTOMERS + NEW, "nobody was created twice"
    assert crowd.value("select count(*) from crm.customer where customer_id is null") == 0


def _judge_requests(crowd: Pushing, wanted: dict[str, dict[str, Any]]) -> None:
    bodies = crowd.sent()
    assert EDITED + NEW <= len(bodies) < 1000, "the simulator keeps the latest 1,000 requests"
    for body in bodies:
        fields = wanted[body.get("id") or body["phone"]]
        assert {name: body[wire] for name, wire in WIRE.items() if wire in body} == fields
        assert set(body) <= set(WIRE.values()) | {"id"}


def _judge_record(crowd: Pushing, calls: Any) -> None:
    received = sum(
        calls["operations"][name]["received"] for name in ("create_or_update", "customer_info", "access_token")
    )
    recorded, interrupted = crowd.rows(
        "select sum(requests)::int, (count(*) filter (where outcome = 'interrupted'))::int from crm.push"
    )[0]
    assert 0 < interrupted <= 2 * PushSettings().max_concurrency, "two kills, a call a thread"
    assert 0 <= received - recorded <= interrupted * 20, "what no row counts was sent by a task that was killed"
    failed = crowd.value("select count(*) from crm.push where outcome in ('failed', 'interrupted')")
    assert failed > 0
    assert crowd.value("select count(*) from crm.push_plan where attempt is not null") == 0


def test_two_pushes_at_once_do_not_send_the_same_row_twice(pushing: Pushing) -> None:
    people = pushing.mirrored(60)
    for number, person in enumerate(people):
        pushing.set_desired_of(person, name=f"Имя {number}")
    one, two = pushing.plan(), pushing.plan()
    pushing.simulator.control.set_switches(latency_ms=5)
    done: list[Any] = []
    threads = [
        threading.Thread(target=lambda plan=plan: done.append(pushing.apply(plan))) for plan in (one, one, two, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sent = [body["id"] for body in pushing.sent()]
    assert sorted(sent) == sorted(each["customer_id"] for each in people)
    assert sum(counts.changed for counts in done) == len(people)
    assert pushing.push().requested == 0


def test_rows_of_a_task_that_died_are_free_at_once(pushing: Pushing) -> None:
    for person in pushing.mirrored(3):
        pushing.set_desired_of(person, name="Имя")
    plan = pushing.plan()
    dead_lease = 2**31 - 2
    pushing.execute("update crm.push_state set lease = %s, leased_until = now() + interval '1 hour'", dead_lease)
    pushing.execute(
        "update crm.push_plan set attempt = jsonb_build_object('operation', 'create_or_update', 'step', 0, 'fields', '[\"name\"]'::jsonb,"
        " 'run_id', 'dead', 'attempted_at', now()) where crm_id = 1"
    )

    assert pushing.apply(plan).changed == 3

    assert pushing.rows("select crm_id, run_id, fields from crm.push where outcome = 'interrupted'") == [
        (1, "dead", ["name"])
    ]


def test_acknowledgement_that_a_dead_task_had_only_written_down_is_not_sent_again(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Имя")
    plan = pushing.plan()
    pushing.execute(
        """
        insert into crm.push (plan_id, crm_id, organization_id, customer_id, step, operation, fields, outcome, run_id, attempted_at)
        values (%s, %s, %s, %s, 0, 'create_or_update', '{name}', 'acknowledged', 'dead', now())
        """,
        plan.plan_id,
        crm_id,
        pushing.organization_id,
        person["customer_id"],
    )

    assert pushing.apply(plan).changed == 1

    assert pushing.sent() == []
    assert pushing.value("select agreed ->> 'name' from crm.push_state") == "Имя"
