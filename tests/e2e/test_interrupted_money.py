"""A task that moves money is cleared while its call is under way, or its run is deleted and started again: no money moves twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from devstack import names
from devstack.dag_runs import wait_until_parsed
from e2e_support import end_with_any_answer, wait_until
from fixtures.releases import Releasing
from fixtures.wallets import Purse, open_purse
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

PAYS = "pays_an_order"
DAG_FILE = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

from syrve.operators.wallet import wallet_payment

FIELDS = ("organization_id", "customer_id", "wallet_id", "amount", "order_id")

with (
    DAG("pays_an_order", schedule=None, params={name: Param("", type="string") for name in FIELDS}),
    wallet_payment(**{name: "{{ params.%s }}" % name for name in FIELDS}),
):
    EmptyOperator(task_id="cook")
"""
HANGS_SECONDS = 25.0
"""Longer than Airflow needs to notice that a task was cleared, and to end its process."""


@dataclass
class Interrupting:
    """A live Airflow, a customer with 100.00, and calls that hang once they are carried out."""

    airflow: Any
    purse: Purse

    def hang(self, operation: str) -> None:
        fault = {"operation": operation, "fault": "stall", "stall_seconds": HANGS_SECONDS, "count": 1}
        self.airflow.simulator.set_faults([fault])

    def clear_while_it_hangs(self, run: Any, task_id: str, operation: str) -> str:
        """Clear a task once its call has arrived; returns how the run ended."""
        wait_until(lambda: self.purse.received[operation] == 1, f"{operation} arrives", timeout_seconds=140.0)
        self.airflow.clear(run, task_id)
        return str(self.airflow.finish(run))

    def start_again(self, run: Any, form: dict[str, Any], *beginnings: str) -> str:
        """Delete a run and start one of the same id; where it asks, the approver agrees. Returns how it ended."""
        self.airflow.api.call("DELETE", f"/dags/{run.dag_id}/dagRuns/{run.run_id}", "delete a run")
        self.airflow.api.trigger(run.dag_id, run.run_id, form)
        return end_with_any_answer(self.airflow, run, *beginnings)


@pytest.fixture
def interrupting(airflow: Any) -> Iterator[Interrupting]:
    url = str(airflow.state.simulator_url)
    warehouse = Warehouse(url_from_text(airflow.stack.postgres(durable=False).dsn(names.WAREHOUSE_DATABASE)))
    simulator: Any = SimpleNamespace(control=airflow.simulator, url=url)
    config = SyrveConfig(url, names.API_LOGIN)
    for purse in open_purse(simulator, warehouse, config):
        yield Interrupting(airflow, purse)
    airflow.simulator.clear_faults()
    with SyrveClient(config) as client:  # the next test gets the customer with all of the money
        for hold in airflow.simulator.holds(state="open"):
            client.cancel_hold(hold["organization_id"], hold["transaction_id"])


@pytest.fixture(scope="module")
def paying(live_airflow: Any) -> Iterator[str]:
    path: Path = live_airflow.stack.paths.dags / f"{PAYS}.py"
    path.write_text(DAG_FILE)
    wait_until_parsed(live_airflow.api, live_airflow.stack.paths.dags, PAYS, not_before=0.0)
    live_airflow.api.set_paused(PAYS, paused=False)
    yield PAYS
    path.unlink()
    live_airflow.api.call("DELETE", f"/dags/{PAYS}", "forget a DAG")


@pytest.mark.parametrize(
    ("operation", "task"),
    [("wallet_hold", "hold"), ("wallet_chargeoff", "settle"), ("wallet_cancel_hold", "settle")],
)
def test_payment_cleared_amid_a_call_takes_the_money_once(
    interrupting: Interrupting, paying: str, operation: str, task: str
) -> None:
    airflow, purse = interrupting.airflow, interrupting.purse
    interrupting.hang(operation)
    form = {"organization_id": purse.organization_id, "customer_id": purse.customer_id, "wallet_id": purse.wallet_id}
    run = airflow.start(paying, amount="30.00", order_id=f"order-{uuid4()}", **form)

    interrupting.clear_while_it_hangs(run, f"payment.{task}", operation)
    airflow.clear(run, "payment.hold")  # a person tries once more
    airflow.finish(run)

    assert max(purse.received.values()) == 1, dict(purse.received)
    assert purse.balance in (Decimal("100.00"), Decimal("70.00"))
    (state,) = purse.rows("select state from wallet.payment_state where customer_id = %s", purse.customer_id)
    assert (state == ("paid",)) <= (purse.balance == Decimal("70.00")), "paid means that the money was taken"


def test_campaign_cleared_amid_a_call_credits_once(interrupting: Interrupting) -> None:
    airflow, purse = interrupting.airflow, interrupting.purse
    name = f"interrupted-{uuid4().hex[:8]}"
    mirror(purse)
    (airflow.stack.paths.inbox / f"{name}.csv").write_text(f"customer_id,amount\n{purse.customer_id},5.00\n")
    form = {"campaign": name, "path": f"{name}.csv", "organization_id": purse.organization_id, "dry_run": False}
    run = airflow.start(names.BULK_TOPUP_DAG, **form)
    airflow.wait_for_question(run, "approve")
    interrupting.hang("wallet_topup")
    airflow.answer(run, "Approve")

    interrupting.clear_while_it_hangs(run, "send", "wallet_topup")
    assert (purse.balance, purse.received["wallet_topup"]) == (Decimal("105.00"), 1)
    interrupting.start_again(run, form, "Approve")

    assert (purse.balance, purse.received["wallet_topup"]) == (Decimal("105.00"), 1)


def test_release_cleared_amid_a_call_cancels_once(interrupting: Interrupting) -> None:
    airflow, purse = interrupting.airflow, interrupting.purse
    releasing = Releasing(purse)
    hold_id = releasing.dangling("10.00")
    form = {"min_age_minutes": 0, "dry_run": False, "finding_ids": releasing.findings}
    run = airflow.start(names.RELEASE_HOLDS_DAG, **form)
    airflow.wait_for_question(run, "approve")
    interrupting.hang("wallet_cancel_hold")
    airflow.answer(run, "Release all")

    interrupting.clear_while_it_hangs(run, "release", "wallet_cancel_hold")
    assert (purse.holds, releasing.cancels) == (["cancelled"], 1)
    assert releasing.outcome(hold_id)[0] in ("released", "unsettled"), "never approved and forgotten"
    interrupting.start_again(run, form, "Release all")

    assert (purse.holds, releasing.cancels) == (["cancelled"], 1)


def mirror(purse: Purse) -> None:
    """Write the customer down as a pull does."""
    whose = (purse.organization_id, purse.customer_id)
    purse.execute(
        "insert into syrve.customer (organization_id, customer_id, is_deleted, extra, first_seen_at, changed_at, fetched_at, "
        "profile_changed_at) values (%s, %s, false, '{}', now(), now(), now(), now()) on conflict do nothing",
        *whose,
    )
    purse.execute(
        "insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) "
        "values (%s, %s, %s, 0, now(), now()) on conflict do nothing",
        *(*whose, purse.wallet_id),
    )
