"""Assets name the warehouse and the table, and are updated only if the table changed."""

from typing import Any

import pytest
from airflow.sdk import Asset
from sqlalchemy import make_url

from fixtures.airflow import Running
from syrve.operators import assets
from syrve.operators.coupons import SyrveOrganizationsOperator, SyrvePullCouponsOperator
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.operators.publish import SyrvePublishOperator

MIRROR = [assets.CUSTOMER, assets.WALLET_BALANCE, assets.CARD, assets.CUSTOMER_CATEGORY]


def updated(context: Any) -> dict[str, str]:
    """The tables that a task updated, with the address of each asset."""
    events = context["outlet_events"]
    return {
        event.source_alias_name: event.dest_asset_key.uri
        for alias in events
        for event in events[alias].asset_alias_events
    }


def pull(running: Running, run_id: str, **changes: Any) -> dict[str, str]:
    """Pull all customers in a run of its own, publish, and return what was updated."""
    running.syncing.execute("update sync.roster set due_at = now()")
    running.run_id = run_id
    organization_id = running.syncing.organization_id
    running.execute(SyrvePullCustomersOperator, task_id="pull", organization_id=organization_id)
    running.execute(SyrvePublishOperator, task_id="publish", count_task_id="pull", outlets=MIRROR)
    return updated(running.contexts[-1])


@pytest.mark.parametrize(
    ("dsn", "uri"),
    [
        ("postgresql://me:secret@db.example:5433/warehouse", "postgres://db.example:5433/warehouse/syrve/customer"),
        ("postgresql://me@db.example/warehouse", "postgres://db.example:5432/warehouse/syrve/customer"),
        ("postgresql://me@/a?host=/run/pg&port=5440", "postgres://%2Frun%2Fpg:5440/a/syrve/customer"),
        ("postgresql:///a", "postgres://localhost:5432/a/syrve/customer"),
        ("postgresql://me@[2001:db8::1]:5432/a", "postgres://2001%3Adb8%3A%3A1:5432/a/syrve/customer"),
    ],
)
def test_asset_names_host_database_and_table(dsn: str, uri: str) -> None:
    url = make_url(dsn)

    assert assets.table_uri(url, "syrve.customer") == uri
    assert assets.warehouse_asset(url, "syrve.customer") == Asset(uri=uri, group="syrve"), "Airflow takes it as it is"


def test_two_warehouses_are_two_assets() -> None:
    one, two = (make_url(f"postgresql://me@{host}/warehouse") for host in ("one", "two"))

    assert assets.warehouse_asset(one, "syrve.card") != assets.warehouse_asset(two, "syrve.card")


def test_first_pull_updates_each_table_of_the_mirror(running: Running) -> None:
    running.syncing.add(phone=[each["phone"] for each in running.syncing.customers(20)])

    found = pull(running, "first")

    url = running.syncing.warehouse.url
    assert found == {each.name: assets.table_uri(url, each.name) for each in MIRROR}


def test_changed_balance_updates_no_card_and_no_category(running: Running) -> None:
    syncing = running.syncing
    customers = syncing.customers(20)
    syncing.add(phone=[each["phone"] for each in customers])
    pull(running, "first")
    guest = next(each for each in customers if each["wallets"])
    syncing.simulator.control.change_customer(
        syncing.organization_id, guest["customer_id"], balances={guest["wallets"][0]["id"]: "123.45"}
    )

    assert set(pull(running, "second")) == {"syrve.customer", "syrve.wallet_balance"}


def test_unchanged_organizations_update_nothing(running: Running) -> None:
    outlets = [assets.ORGANIZATION]

    running.execute(SyrveOrganizationsOperator, outlets=outlets)
    first = updated(running.contexts[-1])
    running.execute(SyrveOrganizationsOperator, outlets=outlets)

    assert set(first) == {"syrve.organization"}
    assert updated(running.contexts[-1]) == {}


def test_series_without_watched_coupons_update_no_coupon(running: Running) -> None:
    organization_id = running.syncing.organization_id
    running.execute(SyrvePullCouponsOperator, task_id="pull", organization_id=organization_id)

    outlets = [assets.COUPON_SERIES, assets.COUPON]
    running.execute(SyrvePublishOperator, task_id="publish", count_task_id="pull", outlets=outlets)

    assert set(updated(running.contexts[-1])) == {"syrve.coupon_series"}
