"""Holds are released through a real scheduler once a person has chosen them in Airflow's own question."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from devstack import names
from fixtures.releases import Releasing
from fixtures.wallets import open_purse
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.release.question import KEEP_REST, RELEASE_NONE
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

A_FEW_SECONDS = 0.001
"""In hours: the scheduler looks for questions whose time is over four times a minute."""


@pytest.fixture
def releasing(airflow: Any) -> Iterator[Releasing]:
    url = str(airflow.state.simulator_url)
    warehouse = Warehouse(url_from_text(airflow.stack.postgres(durable=False).dsn(names.WAREHOUSE_DATABASE)))
    simulator: Any = SimpleNamespace(control=airflow.simulator, url=url)
    config = SyrveConfig(url, names.API_LOGIN)
    for purse in open_purse(simulator, warehouse, config):
        yield Releasing(purse)
    with SyrveClient(config) as client:  # whoever comes next gets the guest with all of their money
        for hold in airflow.simulator.holds(state="open"):
            client.cancel_hold(hold["organization_id"], hold["transaction_id"])


def test_holds_wait_for_a_person_and_only_the_chosen_are_cancelled(airflow: Any, releasing: Releasing) -> None:
    dag_id, form = names.RELEASE_HOLDS_DAG, {"min_age_minutes": 0}
    forgotten = releasing.dangling("40.00", rule="stale_hold")
    by_hand = {"finding_ids": releasing.findings, "answer_hours": A_FEW_SECONDS}
    unanswered = airflow.start(dag_id, dry_run=False, **by_hand)
    chosen, kept = releasing.dangling("10.00"), releasing.dangling("20.00")

    asking, looking = airflow.start(dag_id, dry_run=False, **form), airflow.start(dag_id, **form)
    airflow.wait_for_question(asking, "approve")
    query = "select options, body from hitl_detail join task_instance on hitl_detail.ti_id = task_instance.id where run_id = %s"
    ((options, body),) = airflow.rows(query, asking.run_id, database="airflow")
    assert re.search(r"\| \d+ \| 10\.00 \|", body), "holds of other tests may stand before it"
    assert releasing.purse.customer_id not in body
    assert releasing.cancels == 0

    assert all(each.endswith("]") for each in options if each != RELEASE_NONE)
    airflow.answer(asking, chosen, KEEP_REST)

    assert airflow.finish(looking) == "success"
    assert airflow.task_states() == {"plan": "success", "approve": "skipped", "release": "skipped"}
    assert airflow.finish(asking) == "success"
    assert airflow.task_states() == {"plan": "success", "approve": "success", "release": "success"}
    assert releasing.finding(chosen) == ("released", True)
    assert releasing.finding(kept) == ("acknowledged", False)
    assert airflow.finish(unanswered) == "success"
    assert airflow.task_states() == {"plan": "success", "approve": "success", "release": "skipped"}
    assert releasing.states(forgotten) == ["asked", "expired"]
    assert sorted(releasing.purse.holds) == ["cancelled", "open", "open"]
    assert releasing.cancels == 1
    decided = "select state, decided_by from wallet.release_state where run_id = %s order by place"
    found = [(state, by) for state, by in airflow.rows(decided, asking.run_id)]
    assert found.count(("released", "approver")) == 1
    assert set(found) == {("released", "approver"), ("kept", "approver")}, "holds of other tests are kept too"
