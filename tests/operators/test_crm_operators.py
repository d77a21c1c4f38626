"""The operators of the push: what they return, log and refuse."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from fixtures.airflow import Running
from syrve.approvals.errors import NotApproved
from syrve.crm.errors import PushRefused
from syrve.operators.approval import SyrveApprovePushOperator
from syrve.operators.crm import (
    SyrveApplyPushOperator,
    SyrveCrmImportOperator,
    SyrvePlanPushOperator,
    SyrvePushVerdictOperator,
)
from syrve.operators.forms import reads_as_dry_run

SECRET = "Секретное"


def set_desired(running: Running, **columns: Any) -> int:
    columns = {"organization_id": running.syncing.organization_id} | columns
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    crm_id = running.syncing.value(
        f"insert into crm.customer ({names}) values ({marks}) returning crm_id", *columns.values()
    )
    return int(crm_id)


def mirrored(running: Running, count: int) -> list[Any]:
    people = running.syncing.customers(count)
    running.syncing.add(id=[each["customer_id"] for each in people])
    running.syncing.pull()
    return people


@pytest.mark.parametrize(
    ("flag", "run_type", "expected"),
    [
        (None, "manual", True),
        ("None", "manual", True),
        (None, "scheduled", False),
        (None, "asset_triggered", False),
        (None, "backfill", False),
        (False, "manual", False),
        ("True", "scheduled", True),
        ("Preview", "manual", True),
        ("Preview", "backfill", True),
        ("Preview", "scheduled", False),
        ("Preview", "asset_triggered", False),
        ("Send", "manual", False),
        ("Import", "manual", False),
    ],
)
def test_run_by_hand_only_looks_unless_its_form_says_otherwise(flag: Any, run_type: str, expected: bool) -> None:
    assert reads_as_dry_run(flag, {"dag_run": SimpleNamespace(run_type=run_type)}) is expected


def test_plan_apply_and_verdict_push_and_log_no_value(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for person in mirrored(running, 5):
        set_desired(running, customer_id=person["customer_id"], surname=f"{SECRET} {uuid4()}")

    shards = running.execute(SyrvePlanPushOperator, is_dry_run=False, shard_size="2", max_shards="2")
    assert running.execute(SyrveApprovePushOperator, approval_customers="5") is None
    counts = [
        running.execute(SyrveApplyPushOperator, task_id="apply", map_index=n, **each) for n, each in enumerate(shards)
    ]
    verdict = running.execute(SyrvePushVerdictOperator)

    assert [(each["organization_id"], each["shard"]) for each in shards] == [
        (running.syncing.organization_id, 0),
        (running.syncing.organization_id, 1),
    ]
    assert json.loads(json.dumps(shards)) == shards
    assert [each["changed"] for each in counts] == [5, 0]
    assert running.syncing.value(
        "select priority_at > now() - interval '1 minute' from sync.call_budget where family = 'customer'"
    )
    assert verdict == {"sent": 5, "refused": 0}
    assert "5 customer(s) to send: 0 creates, 5 updates" in caplog.text
    assert SECRET not in caplog.text


def test_dry_run_writes_the_plan_and_sends_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    [person] = mirrored(running, 1)
    set_desired(running, customer_id=person["customer_id"], surname=f"{SECRET} {uuid4()}")
    running.syncing.simulator.control.reset_calls()

    assert running.execute(SyrvePlanPushOperator, is_dry_run=True) == []
    assert running.execute(SyrveApprovePushOperator, approval_customers=0) is None
    with pytest.raises(AirflowSkipException):
        running.execute(SyrvePushVerdictOperator)

    assert "Dry run, nothing is sent: plan" in caplog.text
    assert running.syncing.value("select count(*) from crm.push_plan") == 1
    assert "create_or_update" not in running.syncing.simulator.control.calls()["operations"]


def test_large_plan_asks_a_person_with_counts_and_field_names(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **details: asked.update(details)
    )
    for person in mirrored(running, 2):
        set_desired(running, customer_id=person["customer_id"], surname=f"{SECRET} {uuid4()}")
    running.execute(SyrvePlanPushOperator, is_dry_run=False)
    monkeypatch.setattr(
        "fixtures.airflow.task_context",
        lambda *_: {
            "ti": SimpleNamespace(id="1", dag_id="dag"),
            "task_instance": SimpleNamespace(id="1"),
            "run_id": "run-1",
        },
    )

    with pytest.raises(TaskAwaitingInput):
        running.execute(SyrveApprovePushOperator, approval_customers="1")

    assert (asked["defaults"], asked["options"][1]) == (None, "Reject")
    assert asked["options"][0].startswith("Approve: send 2 customer(s) [")
    assert "2 customer(s) to send" in asked["body"]
    assert "surname 2" in asked["body"]
    assert SECRET not in asked["body"]


def test_plan_that_nobody_approved_is_not_sent(running: Running) -> None:
    [person] = mirrored(running, 1)
    set_desired(running, customer_id=person["customer_id"], surname=f"{SECRET} {uuid4()}")
    [shard] = running.execute(SyrvePlanPushOperator, is_dry_run=False)
    running.syncing.simulator.control.reset_calls()

    with pytest.raises(NotApproved):
        running.execute(SyrveApplyPushOperator, **shard)

    running.execute(SyrveApprovePushOperator)
    running.syncing.execute(
        "set local session_replication_role = replica; "  # as if the warehouse let it happen
        "update crm.push_plan set changes = jsonb_set(changes, '{surname,to}', '\"x\"')"
    )
    with pytest.raises(NotApproved):
        running.execute(SyrveApplyPushOperator, **shard)
    assert "create_or_update" not in running.syncing.simulator.control.calls()["operations"]


def test_run_whose_rows_were_all_refused_is_not_green(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        set_desired(running, name=SECRET)
    running.execute(SyrvePlanPushOperator, is_dry_run=False)

    with pytest.raises(PushRefused, match="3 of 3") as caught:
        running.execute(SyrvePushVerdictOperator, max_refused_share="0.5")

    assert "3 row(s) of" in caplog.text
    assert "has neither an id nor a usable phone" in caplog.text
    assert SECRET not in caplog.text + str(caught.value)
    assert running.execute(SyrvePushVerdictOperator, max_refused_share=1) == {"sent": 0, "refused": 3}


def test_organizations_that_the_login_does_not_see_are_told(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    unseen = "5f4e0008-0000-4000-8000-000000000001"
    set_desired(running, organization_id=unseen, phone="+79750000001")

    assert running.execute(SyrvePlanPushOperator, is_dry_run=False) == []

    assert f"rows of {unseen}, which the api login does not see" in caplog.text


def test_organization_without_loyalty_is_passed_over_with_a_finding(running: Running) -> None:
    [person] = mirrored(running, 1)
    set_desired(running, customer_id=person["customer_id"], surname=f"{SECRET} {uuid4()}")
    [shard] = running.execute(SyrvePlanPushOperator, is_dry_run=False)
    running.execute(SyrveApprovePushOperator)
    running.syncing.simulator.control.set_switches(organizations_without_loyalty=[running.syncing.organization_id])

    with pytest.raises(AirflowSkipException, match="loyalty is not set up"):
        running.execute(SyrveApplyPushOperator, **shard)

    assert running.syncing.rows("select stage from sync.reject where resolved_at is null") == [("create_or_update",)]


def test_import_skips_itself_where_nothing_changed_so_that_the_push_is_not_woken(
    running: Running, tmp_path: Path
) -> None:
    file = tmp_path / "desired_states.csv"
    file.write_text(f"organization_id,phone,name\n{running.syncing.organization_id},+79750000001,Иван\n")

    assert running.execute(SyrveCrmImportOperator, path=file.as_uri())["changed"] == 1
    with pytest.raises(AirflowSkipException):
        running.execute(SyrveCrmImportOperator, path=file.as_uri())
