"""What the environment decides: schedules, sizes, the pool, thresholds; and that each setting is documented."""

import re
import runpy
from collections.abc import Mapping
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from fixtures.dag_files import DAGS
from syrve.operators import settings


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


def test_release_by_asset_does_not_start_itself(monkeypatch: pytest.MonkeyPatch, dagbag: DagBag) -> None:
    assert "wallet.finding" in str(
        schedules({"SYRVE_RELEASE_HOLDS_SCHEDULE": "asset"}, monkeypatch)["syrve_release_holds"]
    )
    outlets = {outlet.name for task in dagbag.dags["syrve_release_holds"].tasks for outlet in task.outlets}
    assert outlets == {"wallet.operation"}


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


@pytest.mark.parametrize("schedule", ["none", "0 5 * * *", "asset"])
def test_what_sends_takes_no_backfill(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    for name in ("RELEASE_HOLDS", "CRM_PUSH"):
        monkeypatch.setenv(f"SYRVE_{name}_SCHEDULE", schedule)
    bag = DagBag(dag_folder=DAGS, bundle_name="dags")

    closed = {
        dag_id for dag_id, dag in bag.dags.items() if dag.allowed_run_types and "backfill" not in dag.allowed_run_types
    }

    asking = {dag_id for dag_id, dag in bag.dags.items() if any(task.task_id == "approve" for task in dag.tasks)}
    assert closed == asking | {"syrve_webhooks"}
    assert len(asking) == 5
