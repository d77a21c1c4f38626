"""The DAG files: what Airflow makes of them, and what reading them costs."""

import ast
import json
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetAlias
from airflow.serialization.serialized_objects import DagSerialization

from devstack import names
from fixtures.dag_files import DAG_IDS, FILES, ROOT, argument_of
from syrve.notifications.failure import SyrveFailureNotifier
from syrve.operators import settings

CALLS_SYRVE = {
    "SyrveApplyPushOperator",
    "SyrveFollowSignalsOperator",
    "SyrveOrderOrganizationsOperator",
    "SyrveOrganizationsOperator",
    "SyrvePlanBackfillOperator",
    "SyrvePlanPullOperator",
    "SyrvePlanPushOperator",
    "SyrvePullCouponsOperator",
    "SyrveReadOrdersOperator",
    "SyrveWebhooksOperator",
    "SyrvePullCustomersOperator",
    "SyrveReleaseHoldsOperator",
    "SyrveSendTopupOperator",
    "SyrveSettleOperator",
    "SyrveTransactionsOperator",
}
"""Operators that send requests to Syrve."""


def operator_name(task: Any) -> str:
    return str(getattr(task, "task_type", type(task).__name__))


def test_every_file_is_read_without_an_error(dagbag: DagBag) -> None:
    assert dagbag.import_errors == {}
    assert sorted(dagbag.dags) == DAG_IDS


def test_file_has_the_name_of_its_dag(dag: DAG) -> None:
    assert Path(dag.fileloc).stem == dag.dag_id


def test_every_dag_has_a_name_for_the_stack_and_is_in_the_docs() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md") if page.name != "dictionary.md")

    assert sorted(value for key, value in vars(names).items() if key.endswith("_DAG")) == DAG_IDS
    assert [dag_id for dag_id in DAG_IDS if f"`{dag_id}`" not in pages] == []


def test_every_dag_tells_the_channels_when_it_fails(dag: DAG) -> None:
    callbacks = dag.on_failure_callback
    assert isinstance(callbacks, SyrveFailureNotifier), "on_failure_callback=settings.failure_notifier()"
    assert callbacks.conn_id == settings.NOTIFICATIONS_CONNECTION


def test_every_dag_has_a_name_for_people_of_its_own(dagbag: DagBag) -> None:
    shown = [dag.dag_display_name for dag in dagbag.dags.values()]
    assert all(name.startswith("Syrve: ") for name in shown), shown
    assert len(set(shown)) == len(shown)


def test_files_hold_wiring_only() -> None:
    logic = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)

    for file in FILES:
        assert not [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, logic)], file.name


def test_dag_explains_itself(dag: DAG) -> None:
    assert dag.doc_md is not None
    assert dag.doc_md.lstrip().startswith("### ")
    assert "Safe to" in dag.doc_md
    assert dag.description
    assert "syrve" in dag.tags
    assert len(dag.tags) > 1


def test_every_task_has_an_owner_retries_and_the_retry_policy(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.owner == "syrve"
        assert task.retries == 24
        policy = argument_of(task, "retry_policy")
        assert type(policy).__name__ == "SyrveRetryPolicy"


def test_every_task_ends_in_time(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.execution_timeout is not None, task.task_id
        assert task.execution_timeout.total_seconds() <= 168 * 3600
        if hasattr(task, "response_timeout"):
            assert task.response_timeout is not None, task.task_id


def test_every_task_that_calls_syrve_waits_in_its_pool(dag: DAG) -> None:
    for task in dag.tasks:
        expected = "syrve_api" if operator_name(task) in CALLS_SYRVE else "default_pool"
        assert task.pool == expected, task.task_id


def test_some_task_of_each_pull_calls_syrve(dagbag: DagBag) -> None:
    for dag_id in ("syrve_customers", "syrve_coupons", "syrve_backfill", "syrve_crm_push"):
        assert CALLS_SYRVE & {operator_name(task) for task in dagbag.dags[dag_id].tasks}


def test_missed_intervals_are_not_caught_up(dag: DAG) -> None:
    assert dag.catchup is False
    assert dag.max_active_runs <= 3


def test_backfill_starts_as_a_dry_run_and_leaves_slots_to_scheduled_work(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_backfill"]

    assert dag.params["dry_run"] == "Preview"
    assert argument_of(dag.get_task("pull"), "max_active_tis_per_dag") == 2
    assert dag.get_task("pull").weight_rule == "absolute"
    assert dagbag.dags["syrve_customers"].get_task("pull").weight_rule == "downstream", "leaves the queue first"


def test_a_run_fails_when_a_shard_failed_although_the_rest_is_published(dagbag: DagBag) -> None:
    for dag_id in ("syrve_customers", "syrve_coupons", "syrve_backfill"):
        dag = dagbag.dags[dag_id]
        leaves = {task.task_id: task.trigger_rule.value for task in dag.leaves}
        assert leaves == {"publish": "all_done", "all_pulled": "none_failed"}
        assert dag.get_task("pull").is_mapped


def test_assets_are_named_like_tables(dagbag: DagBag) -> None:
    published = {outlet for dag in dagbag.dags.values() for task in dag.tasks for outlet in task.outlets}

    assert all(isinstance(outlet, AssetAlias) for outlet in published), (
        "the warehouse is not known when a file is parsed"
    )
    assert {outlet.name for outlet in published} == {
        "syrve.organization",
        "syrve.customer",
        "syrve.wallet_balance",
        "syrve.card",
        "syrve.customer_category",
        "syrve.coupon_series",
        "syrve.coupon",
        "sync.roster",
        "crm.customer",
        "crm.push",
        "wallet.operation",
        "wallet.payment_order",
        "wallet.finding",
    }


def test_dag_survives_serialization_with_its_form_pool_and_retry_policy(dag: DAG) -> None:
    back = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))

    assert back.task_ids == dag.task_ids
    assert back.params.dump() == dag.params.dump()
    for task in back.tasks:
        assert task.has_retry_policy
        assert task.pool == dag.get_task(task.task_id).pool


def test_push_asks_before_it_applies_and_is_judged_at_the_end(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_crm_push"]

    assert dag.get_task("approve").downstream_task_ids == {"apply"}
    assert dag.get_task("apply").is_mapped
    assert {task.task_id: task.trigger_rule.value for task in dag.leaves} == {
        "publish": "all_done",
        "all_pushed": "none_failed",
    }
    assert dag.params["dry_run"] == "Preview"


def test_release_asks_before_it_cancels_and_asks_by_hand_only_where_it_is_told_to(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_release_holds"]

    assert dag.get_task("plan").downstream_task_ids == {"approve"}
    assert dag.get_task("approve").downstream_task_ids == {"release"}
    assert dag.params["dry_run"] == "Preview"
    assert set(dag.params["rules"]) == {"charged_hold_open", "order_failed_hold_open"}


def test_reconciliation_goes_on_where_nothing_could_be_settled_and_the_run_still_fails(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_reconcile_holds"]

    assert dag.get_task("reconcile").is_mapped
    assert dag.get_task("reconcile").trigger_rule.value == "all_done"
    leaves = {task.task_id: task.trigger_rule.value for task in dag.leaves}
    assert leaves == {"publish": "all_done", "notify": "all_done", "all_reconciled": "none_failed"}
    assert {"settle", "reconcile", "plan"} <= dag.get_task("all_reconciled").upstream_task_ids
