"""The operator that sets webhooks up: an organization that is gone, without loyalty or odd stops no other."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.airflow import Running, SetConnection
from fixtures.pulls import Syncing
from syrve.api.config import SyrveConfig
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.operators.signals import SyrveWebhooksOperator
from syrve.signals.errors import SomeLeftOut
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

URL = "https://receiver.example.com/syrve-signals/events"
GONE = {"correlationId": "5f4e0000-0000-4000-8000-000000000001", "errorDescription": "There is no such organization"}
WITHOUT_LOYALTY = {"code": "Transport_WrongCrmId", "errorCode": "Common_OrganizationNotFound", "message": "no loyalty"}
ODD = {"webHooksUri": URL, "authToken": None, "webHooksFilter": ["DeliveryOrderUpdate"]}
REJECTS = "select organization_id::text, stage from sync.reject where resolved_at is null and entity = 'organization'"


@pytest.fixture(scope="module")
def chain() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=1, organizations=3, seed=5, dialect="cloud") as process:
        yield process


@pytest.fixture
def running(
    chain: SimulatorProcess, warehouse: Warehouse, warehouse_connection: None, set_connection: SetConnection
) -> Running:
    """Three organizations, whose webhooks go nowhere."""
    chain.control.clear_faults()
    chain.control.reset_calls()
    for each in chain.control.organizations():
        chain.control.send_no_signals(each["organization_id"])
    extra = {"dialect": "cloud", "budgets": dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)}
    fields = {"conn_type": "syrve", "host": chain.url, "password": "demo-login"}
    set_connection("syrve_default", **fields, extra=json.dumps(extra))
    return Running(Syncing(chain, warehouse, SyrveConfig(base_url=chain.url, api_login="demo-login", dialect="cloud")))


def send(running: Running) -> Any:
    return running.execute(SyrveWebhooksOperator, url=URL, addresses=[URL], is_dry_run=False)


def set_up(running: Running) -> dict[str, bool]:
    """Of each organization, whether its webhooks come to us."""
    found = [each["organization_id"] for each in running.syncing.simulator.control.organizations()]
    with running.syncing.client() as client:
        return {each: client.webhook_settings(each).uri == URL for each in found}


def second_fails(running: Running, status: int, body: object) -> None:
    """The first reading of the second organization; the first one is read twice: before and after it is set."""
    rule = {"operation": "webhook_settings", "fault": "status", "status": status, "body": body, "after": 2, "count": 1}
    running.syncing.simulator.control.set_faults([rule])


@pytest.mark.parametrize(("status", "body", "said"), [(400, GONE, "Syrve refused"), (200, ODD, "is not an object")])
def test_organization_that_is_gone_or_odd_stops_no_other(
    running: Running, status: int, body: object, said: str
) -> None:
    second_fails(running, status, body)

    with pytest.raises(SomeLeftOut, match=f"1 of 3 organizations .*{said}"):
        send(running)

    [left_out] = [each for each, is_ours in set_up(running).items() if not is_ours]
    assert running.syncing.rows(REJECTS) == [(left_out, "webhooks")]
    running.syncing.simulator.control.clear_faults()
    assert {each["sent"] for each in send(running).values()} == {True, False}
    assert running.syncing.rows(REJECTS) == []
    assert set(set_up(running).values()) == {True}


def test_organization_without_loyalty_is_passed_over_by_name(running: Running) -> None:
    second_fails(running, 400, WITHOUT_LOYALTY)

    found = send(running)

    [left_out] = [each for each, is_ours in set_up(running).items() if not is_ours]
    assert left_out not in found
    assert len(found) == 2
    assert running.syncing.rows(REJECTS) == [(left_out, "webhooks")]
