"""The DAG files: what Airflow makes of them, and what reading them costs."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetAlias
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization

from devstack import names
from syrve.notifications.failure import SyrveFailureNotifier
from syrve.operators import settings
from syrve.operators.conf import refuse_unknown_conf

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
FILES = sorted(DAGS.glob("*.py"))
DAG_IDS = [file.stem for file in FILES]
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

MOST_IMPORT_SECONDS = 1.0
READ_THE_DAGS = """
import importlib.util, json, pathlib, sys, time

def seconds():
    return time.perf_counter(), time.process_time()

def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

start = seconds()
import airflow.sdk
from airflow.sdk import (
    DAG, Asset, BaseHook, BaseOperator, Context, ExceptionRetryPolicy, ObjectStoragePath, Param, RetryRule, TriggerRule
)
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import mask_secret
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
with DAG(dag_id="airflow_alone", schedule="@daily"):
    EmptyOperator(task_id="nothing")
airflow_alone, before = seconds(), set(sys.modules)

FORBIDDEN = ("socket.", "sqlite3.", "subprocess.", "os.system", "os.fork", "os.exec", "os.posix_spawn", "urllib.")
events = []
sys.addaudithook(lambda event, arguments: events.append(event) if event.startswith(FORBIDDEN) else None)
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    load(file)
ours = seconds()
print(json.dumps({
    "airflow_seconds": airflow_alone[0] - start[0],
    "wall_seconds": ours[0] - airflow_alone[0],
    "processor_seconds": ours[1] - airflow_alone[1],
    "modules": sorted(set(sys.modules) - before),
    "events": events,
}))
"""


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    return DagBag(dag_folder=DAGS, bundle_name="dags")


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, dagbag: DagBag) -> DAG:
    found: DAG = dagbag.dags[request.param]
    return found


def read_dags(**environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", READ_THE_DAGS, str(DAGS)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def reading() -> Any:
    """What happens when all DAG files are read, in a process that has imported Airflow and nothing else of ours."""
    return read_dags()


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


def test_reading_the_files_opens_no_socket_no_database_and_no_process(reading: Any) -> None:
    assert reading["events"] == []


def test_reading_the_files_imports_nothing_heavy(reading: Any) -> None:
    heavy = {
        "aiohttp",
        "apprise",
        "matplotlib",
        "numpy",
        "openpyxl",
        "pandas",
        "phonenumbers",
        "psycopg",
        "psycopg2",
        "pyarrow",
        "requests",
        "uvloop",
        "yoyo",
    }

    assert heavy & {name.partition(".")[0] for name in reading["modules"]} == set()


def test_reading_the_files_takes_under_a_second_beyond_airflow_itself(reading: Any) -> None:
    print({name: value for name, value in reading.items() if name.endswith("_seconds")})

    # Processor time: on a busy machine the clock also counts what others do.
    assert reading["processor_seconds"] < MOST_IMPORT_SECONDS


def test_audit_that_finds_nothing_would_find_something() -> None:
    spoiled = READ_THE_DAGS.replace(
        "load(file)\nours", "load(file)\nimport socket, pandas; socket.socket().close()\nours"
    )
    done = subprocess.run([sys.executable, "-c", spoiled, str(DAGS)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])

    assert "socket.__new__" in found["events"]
    assert "pandas" in found["modules"]


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


Task = BaseOperator | MappedOperator


def argument_of(task: Task, name: str) -> Any:
    """What a task was given, whether it is mapped or not."""
    if isinstance(task, MappedOperator):
        return task.partial_kwargs.get(name)
    return task._pre_execute_hook if name == "pre_execute" else getattr(task, name)


def test_every_task_has_an_owner_retries_and_the_retry_policy(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.owner == "syrve"
        assert task.retries == (20 if task.task_id == "approve" else 4)
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


def test_form_has_a_title_for_every_parameter_and_defaults_that_are_valid(dag: DAG) -> None:
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("title"), name
        jsonschema.Draft7Validator.check_schema(param.schema)
        param.resolve()


def test_every_parameter_of_the_form_reaches_a_task(dag: DAG) -> None:
    from syrve.operators import forms

    text = Path(dag.fileloc).read_text()
    if "file_format=forms.FILE_FORMAT" in text:
        text += "".join(forms.FILE_FORMAT.values())

    for name in dag.params:
        assert f"{{{{ params.{name} }}}}" in text


@pytest.mark.parametrize("value", ["not an id", "5f4e0009-0000-4000-8000-00000000000", 7])
def test_form_refuses_what_is_no_organization(dagbag: DagBag, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    for dag_id in ("syrve_customers", "syrve_coupons", "syrve_backfill", "syrve_crm_push", "syrve_release_holds"):
        with pytest.raises(ParamValidationError):
            dagbag.dags[dag_id].params.get_param("organization_ids").resolve([value])


@pytest.mark.parametrize("value", ["+79750000001", "8 (975) 000-00-01", "79750000001", "A1234567", "", 7])
def test_form_refuses_to_take_anything_but_ids_of_customers(dagbag: DagBag, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    ids = dagbag.dags["syrve_backfill"].params.get_param("customer_ids")
    assert ids.resolve(["5f4e0009-0000-4000-8000-00000000000A"])
    with pytest.raises(ParamValidationError):
        ids.resolve(["5f4e0009-0000-4000-8000-000000000001", value])


@pytest.mark.parametrize(
    "value", ["2026-09-01", "2026-09-01T10:00", "2026-09-01T10:00:00.000Z", "2026-09-01 10:00:00+03:00"]
)
def test_form_takes_dates_and_times(dagbag: DagBag, value: str) -> None:
    since = dagbag.dags["syrve_backfill"].params.get_param("not_refreshed_since")
    assert since.resolve(value) == value


def test_forms_refuse_in_words_and_not_by_a_pattern(dag: DAG) -> None:
    """Airflow shows a pattern as it is; operators say what is wrong and what to write."""
    for name in dag.params:
        assert "pattern" not in json.dumps(dag.params.get_param(name).schema), name


def test_backfill_starts_as_a_dry_run_and_leaves_slots_to_scheduled_work(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_backfill"]

    assert dag.params["dry_run"] is True
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


def schedules(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    for name in ("CUSTOMERS", "COUPONS", "CRM_PUSH"):
        monkeypatch.delenv(f"SYRVE_{name}_SCHEDULE", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bag = DagBag(dag_folder=DAGS, bundle_name="dags")
    assert bag.import_errors == {}
    return {dag_id: dag.schedule for dag_id, dag in bag.dags.items()}


def test_schedules_are_hourly_daily_and_by_hand_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert schedules({}, monkeypatch) == {
        "syrve_checks": "37 5 * * *",
        "syrve_customers": "17 * * * *",
        "syrve_coupons": "47 4 * * *",
        "syrve_balances": "*/5 * * * *",
        "syrve_crm_push": None,
        "syrve_crm_import": None,
        "syrve_roster_import": None,
        "syrve_backfill": None,
        "syrve_wallet_import": "*/15 * * * *",
        "syrve_release_holds": None,
        "syrve_bulk_topup": None,
        "syrve_reconcile_holds": "0 * * * *",
        "syrve_erase_customer": None,
        "syrve_export_customer": None,
        "syrve_maintenance": "23 3 * * *",
        "syrve_orders": None,
        "syrve_signals": None,
        "syrve_webhooks": None,
        "syrve_decide_breaker": None,
    }


def test_schedules_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SYRVE_CUSTOMERS_SCHEDULE": " None ", "SYRVE_COUPONS_SCHEDULE": "*/5 * * * *"}

    found = schedules(environment, monkeypatch)

    assert (found["syrve_customers"], found["syrve_coupons"]) == (None, "*/5 * * * *")


def test_push_waits_for_the_asset_of_the_crm_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = schedules({"SYRVE_CRM_PUSH_SCHEDULE": "asset"}, monkeypatch)

    assert "crm.customer" in str(found["syrve_crm_push"])


def test_push_asks_before_it_applies_and_is_judged_at_the_end(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_crm_push"]

    assert dag.get_task("approve").downstream_task_ids == {"apply"}
    assert dag.get_task("apply").is_mapped
    assert {task.task_id: task.trigger_rule.value for task in dag.leaves} == {
        "publish": "all_done",
        "all_pushed": "none_failed",
    }
    assert dag.params["dry_run"] == "Preview"


def test_sizes_and_pool_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SYRVE_POOL": "slow", "SYRVE_SHARD_SIZE": "10", "SYRVE_MAX_SHARDS": "2"}.items():
        monkeypatch.setenv(name, value)

    read = runpy.run_path(settings.__file__)

    assert (read["POOL"], read["SHARD_SIZE"], read["MAX_SHARDS"]) == ("slow", 10, 2)


def test_settings_place_documents_every_variable_and_its_default(dagbag: DagBag) -> None:
    documented = settings.__doc__ or ""
    source = Path(settings.__file__).read_text()
    read = dict(re.findall(r'environ\.get\("(\w+)", "(\w+)"\)', source))
    for dag_id, dag in dagbag.dags.items():
        if dag.schedule is not None:
            read[f"{dag_id.upper()}_SCHEDULE"] = str(dag.schedule)

    assert read
    assert [
        name
        for name, default in read.items()
        if not re.search(rf"\| `{name}` .* `{re.escape(default)}` \|", documented)
    ] == []


def test_release_asks_before_it_cancels_and_asks_by_hand_only_where_it_is_told_to(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_release_holds"]

    assert dag.get_task("plan").downstream_task_ids == {"approve"}
    assert dag.get_task("approve").downstream_task_ids == {"release"}
    assert dag.params["dry_run"] == "Preview"
    assert set(dag.params["rules"]) == {"charged_hold_open", "order_failed_hold_open"}


def test_release_by_asset_does_not_start_itself(monkeypatch: pytest.MonkeyPatch, dagbag: DagBag) -> None:
    assert "wallet.finding" in str(
        schedules({"SYRVE_RELEASE_HOLDS_SCHEDULE": "asset"}, monkeypatch)["syrve_release_holds"]
    )
    outlets = {outlet.name for task in dagbag.dags["syrve_release_holds"].tasks for outlet in task.outlets}
    assert outlets == {"wallet.operation"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("finding_ids", ["+79750000001"]),
        ("rules", ["cancel_outcome_unknown"]),
        ("rules", []),
        ("min_severity", "mild"),
        ("max_holds", 0),
        ("max_amount", 1.5),
        ("answer_hours", 0),
    ],
)
def test_form_of_the_release_refuses_what_makes_no_sense(dagbag: DagBag, name: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dagbag.dags["syrve_release_holds"].params.get_param(name).resolve(value)


WRITES_TO_SYRVE = ("syrve_bulk_topup", "syrve_crm_push", "syrve_release_holds")


@pytest.mark.parametrize("dag_id", WRITES_TO_SYRVE)
def test_form_that_can_send_asks_preview_or_send(dagbag: DagBag, dag_id: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    choice = dagbag.dags[dag_id].params.get_param("dry_run")

    assert (choice.value, choice.schema["title"], choice.schema["enum"]) == (
        "Preview",
        "Preview or send",
        ["Preview", "Send"],
    )
    assert choice.schema["type"][0] == "string", "Airflow makes a dropdown of an enum of texts, and of no other"
    for value in (True, False, "Send", "Preview"):
        assert choice.resolve(value) is value
    for wrong in (None, "", "yes", 1, 0):
        with pytest.raises(ParamValidationError):
            choice.resolve(wrong)


IMPORTS = ("syrve_crm_import", "syrve_roster_import", "syrve_wallet_import")


@pytest.mark.parametrize("dag_id", IMPORTS)
def test_form_of_an_import_asks_preview_or_import(dagbag: DagBag, dag_id: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    choice = dagbag.dags[dag_id].params.get_param("dry_run")

    assert (choice.value, choice.schema["title"], choice.schema["enum"]) == (
        "Preview",
        "Preview or import",
        ["Preview", "Import"],
    )
    for value in (True, False, "Import", "Preview"):
        assert choice.resolve(value) is value
    for wrong in (None, "", "Send", 1):
        with pytest.raises(ParamValidationError):
            choice.resolve(wrong)


def test_form_says_whether_the_schedule_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_CRM_PUSH_SCHEDULE", "37 * * * *")
    monkeypatch.setenv("SYRVE_RELEASE_HOLDS_SCHEDULE", "none")

    assert "is ON (SYRVE_CRM_PUSH_SCHEDULE): it also sends by itself at 37 * * * *" in settings.armed("crm_push")
    assert "is off: nothing is sent by itself" in settings.armed("release_holds")
    bag = DagBag(dag_folder=DAGS, bundle_name="dags")
    assert settings.armed("crm_push") in str(bag.dags["syrve_crm_push"].params.get_param("dry_run").description)


def test_every_task_refuses_unknown_conf_before_it_begins(dag: DAG) -> None:
    assert {argument_of(task, "pre_execute") for task in dag.tasks} == {refuse_unknown_conf}


@pytest.mark.parametrize("name", ["SYRVE_SELF_APPROVAL", "SYRVE_TOPUP_MAX_AMOUNT_PER_ROW"])
def test_setting_that_makes_no_sense_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "maybe")

    with pytest.raises(ValueError, match=name):
        runpy.run_path(settings.__file__)


@pytest.mark.parametrize(
    ("text", "found"),
    [("none", {}), (" ", {}), ('{"default": {"hold_ttl_seconds": 60}}', {"default": {"hold_ttl_seconds": 60}})],
)
def test_thresholds_come_from_the_environment(text: str, found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_FINDING_THRESHOLDS", text)

    assert settings.finding_thresholds() == found


@pytest.mark.parametrize("text", ["{", "[]", "7200"])
def test_thresholds_that_are_no_object_are_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_FINDING_THRESHOLDS", text)

    with pytest.raises(ValueError, match="SYRVE_FINDING_THRESHOLDS must be a JSON object"):
        settings.finding_thresholds()


def test_reconciliation_goes_on_where_nothing_could_be_settled_and_the_run_still_fails(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_reconcile_holds"]

    assert dag.get_task("reconcile").is_mapped
    assert dag.get_task("reconcile").trigger_rule.value == "all_done"
    leaves = {task.task_id: task.trigger_rule.value for task in dag.leaves}
    assert leaves == {"publish": "all_done", "notify": "all_done", "all_reconciled": "none_failed"}
    assert {"settle", "reconcile", "plan"} <= dag.get_task("all_reconciled").upstream_task_ids
