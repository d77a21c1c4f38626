"""The operators: what they return, what they write, and what they leave in Airflow."""

import gzip
import importlib
import inspect
import json
import logging
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from fixtures.airflow import Running, SetConnection, postgres_fields
from syrve.api.errors import ConfigurationError
from syrve.operators import assets
from syrve.operators.coupons import SyrveOrganizationsOperator, SyrvePullCouponsOperator
from syrve.operators.customers import SyrvePlanPullOperator, SyrvePullCustomersOperator
from syrve.operators.publish import SyrvePublishOperator
from syrve.operators.roster import SyrveRosterImportOperator
from syrve.sources.errors import UnusableSource

SETTINGS_IN_RENDERED_FIELDS = {
    "amount",
    "answer_hours",
    "approval_customers",
    "as_of",
    "batch_size",
    "breaker_id",
    "campaign",
    "cap_per_minute",
    "check",
    "choice",
    "comment",
    "conn_id",
    "customer_id",
    "customers",
    "days",
    "decision",
    "digest",
    "file_format",
    "finding_ids",
    "force",
    "give_up",
    "given_as_of",
    "has_report",
    "hold_id",
    "is_dry_run",
    "is_to_be_asked",
    "keep_days",
    "key",
    "limit",
    "link",
    "listen_seconds",
    "max_amount",
    "max_holds",
    "max_refused_share",
    "max_shards",
    "may_move",
    "min_age_minutes",
    "min_severity",
    "not_refreshed_since",
    "notable_share",
    "operations",
    "order_id",
    "organization_id",
    "organization_ids",
    "path",
    "path_conn_id",
    "payment_id",
    "plan_id",
    "priority",
    "query",
    "query_conn_id",
    "release_blocked",
    "renew",
    "request_id",
    "rows",
    "rules",
    "shard",
    "shard_size",
    "source",
    "source_name",
    "thresholds",
    "to_send",
    "url",
    "wallet_id",
    "wallet_type",
}
"""Airflow shows rendered fields to whoever may see a task. Before adding one here, be sure that it can hold no guest's data."""


def operator_classes() -> list[type[BaseOperator]]:
    names = [each.name.removesuffix(".py") for each in files("syrve.operators").iterdir() if each.name.endswith(".py")]
    modules = [importlib.import_module(f"syrve.operators.{name}") for name in names if name != "__init__"]
    members = [value for module in modules for _, value in inspect.getmembers(module, inspect.isclass)]
    return sorted(
        {each for each in members if issubclass(each, BaseOperator) and each.__module__ in names_of(modules)}, key=str
    )


def names_of(modules: list[Any]) -> set[str]:
    return {module.__name__ for module in modules}


@pytest.mark.parametrize("cls", operator_classes(), ids=lambda cls: cls.__name__)
def test_rendered_fields_are_settings_and_hold_no_data(cls: type[BaseOperator]) -> None:
    parameters = {
        name
        for each in cls.__mro__
        if "__init__" in vars(each)
        for name in inspect.signature(vars(each)["__init__"]).parameters
    }

    assert set(cls.template_fields) <= SETTINGS_IN_RENDERED_FIELDS | {
        each for each in parameters if each.endswith("conn_id")
    }
    assert set(cls.template_fields) <= parameters


def test_plan_lists_organizations_and_divides_what_is_due(running: Running) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(25)])

    shards = running.execute(SyrvePlanPullOperator, shard_size="10", max_shards="4", limit="None", force="False")

    assert shards == [
        {"organization_id": syncing.organization_id, "shard": shard, "max_identities": None}
        | {"expected": expected, "tier": "regular"}
        for shard, expected in enumerate((8, 8, 9))
    ]
    assert json.loads(json.dumps(shards)) == shards
    assert syncing.value("select count(*) from syrve.organization where time_zone = 'Europe/Moscow'") == 2


def test_force_given_as_the_text_false_forces_nothing(running: Running) -> None:
    running.syncing.add(phone=["+79750000001"])
    running.syncing.execute("update sync.roster set due_at = now() + interval '1 day'")

    assert running.execute(SyrvePlanPullOperator, force="False") == []
    assert len(running.execute(SyrvePlanPullOperator, force="True")) == 1


def test_plan_says_which_organizations_of_the_roster_the_login_does_not_see(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    unseen = "5f4e0008-0000-4000-8000-000000000001"
    caplog.set_level(logging.WARNING)
    running.syncing.execute(
        f"insert into sync.roster (organization_id, identity_kind, identity_value, source) values ('{unseen}', 'card', 'A1', 'test')"
    )

    assert running.execute(SyrvePlanPullOperator) == []

    assert f"identities of {unseen}, which the api login does not see" in caplog.text


def test_organizations_are_those_of_the_form_whatever_its_rendering(running: Running) -> None:
    one, two = (each["organization_id"] for each in running.syncing.simulator.control.organizations())

    assert running.execute(SyrveOrganizationsOperator) == [one, two]
    assert running.execute(SyrveOrganizationsOperator, organization_ids=[two]) == [two]
    assert running.execute(SyrveOrganizationsOperator, organization_ids=str([two])) == [two]
    with pytest.raises(ConfigurationError, match="does not see the organization"):
        running.execute(SyrveOrganizationsOperator, organization_ids=["5f4e0008-0000-4000-8000-000000000001"])


def test_pull_returns_counts_and_keeps_them_under_its_own_task(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    syncing = running.syncing
    customers = syncing.customers(20)
    syncing.add(phone=[each["phone"] for each in customers])
    caplog.set_level(logging.INFO)

    counts = running.execute(
        SyrvePullCustomersOperator,
        task_id="pull",
        map_index=3,
        organization_id=syncing.organization_id,
        max_identities=15,
        batch_size="10",
    )

    assert (counts["requested"], counts["changed"]) == (15, 15)
    assert syncing.rows("select run_id, map_index, requested from sync.run where task = 'dag.pull'") == [
        ("run-1", 3, 15)
    ]
    assert "Done: requested 15, found 15, changed 15" in caplog.text
    personal = {str(value) for each in customers for value in (each["phone"], each["customer_id"])}
    assert not [value for value in personal if value in caplog.text or value in json.dumps(counts)]


def test_coupon_pull_returns_counts(running: Running) -> None:
    organization_id = running.syncing.organization_id

    counts = running.execute(SyrvePullCouponsOperator, task_id="pull", organization_id=organization_id)

    assert counts["changed"] == running.syncing.value("select count(*) from syrve.coupon_series") > 0


def publish(running: Running, **changed: int) -> tuple[dict[str, Any], Any]:
    for map_index, count in enumerate(changed.values()):
        running.syncing.execute(
            "insert into sync.run (run_id, task, map_index, requested, changed, seconds)"
            " values ('run-1', 'dag.pull', %s, 10, %s, 1.5), ('run-0', 'dag.pull', %s, 1, 1, 1)",
            *(map_index, count, map_index),
        )
    outlets = [assets.CUSTOMER, assets.CARD]
    found = running.execute(SyrvePublishOperator, task_id="publish", count_task_id="pull", outlets=outlets)
    return found, running.contexts[-1]["outlet_events"]


def test_publish_tells_the_counts_of_all_mapped_tasks_on_every_outlet(running: Running) -> None:
    counts, events = publish(running, first=3, second=4)

    assert (counts["requested"], counts["changed"], counts["seconds"]) == (20, 7, 3)
    told = {event.source_alias_name: event.extra for alias in events for event in events[alias].asset_alias_events}
    assert told == {"syrve.customer": counts, "syrve.card": counts}
    assert all(isinstance(value, int | float) for value in counts.values())


def test_publish_skips_itself_where_nothing_changed(running: Running) -> None:
    with pytest.raises(AirflowSkipException, match="Nothing changed"):
        publish(running, first=0, second=0)

    assert len(running.contexts[-1]["outlet_events"]) == 0


def test_publish_skips_itself_where_no_task_ran(running: Running) -> None:
    with pytest.raises(AirflowSkipException):
        publish(running)


def import_roster(running: Running, **params: Any) -> Any:
    return running.execute(SyrveRosterImportOperator, task_id="import_roster", **params)


@pytest.mark.parametrize("organization_id", ["{}", None])
def test_file_at_an_object_storage_path_is_imported(
    running: Running, tmp_path: Path, organization_id: str | None
) -> None:
    file = tmp_path / "guests.csv.gz"
    own = running.syncing.organization_id
    file.write_bytes(gzip.compress(f"organization_id;phone;priority\n{own};8 975 000-00-01;7\n".encode()))

    counts = import_roster(
        running,
        source="file",
        path=file.as_uri(),
        path_conn_id=None,
        organization_id=organization_id.format(own) if organization_id else None,
        priority="None",
    )

    assert (counts["changed"], counts["rejected"]) == (1, 0)
    rows = running.syncing.rows("select organization_id::text, identity_value, source, priority from sync.roster")
    assert rows == [(own, "+79750000001", "file", 7)]


def test_query_on_a_sql_connection_is_imported(
    running: Running, set_connection: SetConnection, empty_database_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    set_connection("shop", **postgres_fields(empty_database_dsn))
    numbers = (
        "select '8975' || lpad(n::text, 7, '0') as phone from generate_series(1, 5) as s (n) union all select 'nobody'"
    )
    with closing(psycopg2.connect(empty_database_dsn)) as shop, shop, shop.cursor() as cursor:
        cursor.execute(f"create view guest as {numbers}")
    caplog.set_level(logging.DEBUG)

    with pytest.raises(UnusableSource, match="phone of the query must be a column of a table or view"):
        import_roster(
            running,
            source="query",
            query="select '89750000001' as phone",
            query_conn_id="shop",
            organization_id=running.syncing.organization_id,
        )
    counts = import_roster(
        running,
        source="query",
        query="select * from guest",
        query_conn_id="shop",
        organization_id=running.syncing.organization_id,
        priority=5,
    )

    assert (counts["changed"], counts["rejected"]) == (5, 1)
    assert "+7975000000" not in caplog.text
    assert counts["bad_rows"] == [{"line": 6, "reason": "phone is not a possible number in region RU"}]
    assert "Line 6 is rejected: phone is not a possible number in region RU" in caplog.text


def test_crm_is_the_source_unless_another_is_named(running: Running) -> None:
    running.syncing.execute(
        "insert into crm.customer (organization_id, phone) values (%s, '8 975 000-00-01')",
        running.syncing.organization_id,
    )

    assert import_roster(running)["changed"] == 1
    assert running.syncing.rows("select source, identity_value from sync.roster") == [("crm", "+79750000001")]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"source": "file"}, "the source is a file, but path is empty"),
        ({"source": "file", "path": "None"}, "the source is a file, but path is empty"),
        (
            {"source": "file", "path": "file:///nowhere/guests.csv"},
            "path is outside of the inbox",
        ),
        ({"source": "file", "path": "guests.csv"}, "there is no file at path in the inbox"),
        (
            {"source": "query", "query": "select 1", "query_conn_id": "syrve_default"},
            r"query_conn_id must be one of those that SYRVE_SOURCE_CONNECTIONS lists \(shop, syrve_warehouse\)",
        ),
        (
            {"source": "query", "query": "select 1"},
            r"the connection of the query cannot be used \(AirflowNotFoundException\)",
        ),
        ({"source": "query", "query_conn_id": "shop"}, "the source is a query, but query is empty"),
        ({"source": "ftp"}, "source must be one of crm, file, query"),
    ],
)
def test_incomplete_form_is_told(running: Running, params: dict[str, Any], told: str) -> None:
    with pytest.raises(UnusableSource, match=told):
        import_roster(running, organization_id=running.syncing.organization_id, **params)
