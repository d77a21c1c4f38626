"""What StatsD is sent: counts of the tasks, and gauges of the warehouse; names without data."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.sdk._shared.observability.metrics import stats as backend
from airflow.sdk._shared.observability.metrics.statsd_logger import SafeStatsdLogger
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

from fixtures.airflow import Running
from syrve.api.endpoints import Family
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.operators.measure import SyrveMeasureOperator
from syrve.operators.metrics import COUNTERS, GAUGES

DOCS = Path(__file__).parents[2] / "docs"
Received = Callable[[], dict[str, float]]


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A StatsD server on loopback and Airflow's own client, which is told of it as in production; returns sums and last values by name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.getsockname()[1]))
        stats.initialize(factory=get_stats_factory(), export_legacy_names=False)

        def read() -> dict[str, float]:
            found: dict[str, float] = {}
            while True:
                try:
                    line = server.recv(65_535).decode()
                except TimeoutError:
                    return found
                match = re.fullmatch(r"airflow\.([\w.]+):([\d.e+-]+)\|([cg])(\|#?.*)?", line)
                assert match, line
                name, value, kind = match[1], float(match[2]), match[3]
                found[name] = value + (found.get(name, 0) if kind == "c" else 0)

        yield read
        monkeypatch.undo()
        if isinstance(backend._backend, SafeStatsdLogger):
            backend._backend.statsd.close()
        backend._backend = None
        backend._factory = None


def test_pull_counts_calls_and_rows(running: Running, received: Received) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(20)])

    counts = running.execute(
        SyrvePullCustomersOperator, task_id="pull", organization_id=syncing.organization_id, batch_size="10"
    )

    found = received()
    assert counts["calls"] >= 20
    assert found == {metric: counts[name] for name, metric in COUNTERS.items() if counts[name]}


def test_customers_that_syrve_refuses_are_counted(running: Running, received: Received) -> None:
    syncing = running.syncing
    syncing.add(phone=[each["phone"] for each in syncing.customers(30)])
    syncing.simulator.control.set_faults([{"operation": "customer_info", "fault": "status", "status": 400, "count": 5}])

    running.execute(SyrvePullCustomersOperator, task_id="pull", organization_id=syncing.organization_id)

    assert received()["syrve.rows.rejected"] == 5


def test_gauges_are_those_of_the_warehouse(running: Running, received: Received) -> None:
    syncing = running.syncing
    syncing.add(phone=["+79750000001", "+79750000002"])
    syncing.execute("update sync.roster set checked_at = now(), due_at = now() - interval '1 hour'")
    syncing.execute(
        "insert into sync.reject (run_id, entity, identity, stage, reason) values ('r', 'customer', 'a line', 'field', 'made up')"
    )
    syncing.execute(
        "insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute) values ('a', 'customer', 90, 90)"
    )

    measured = running.execute(SyrveMeasureOperator)

    found = received()
    assert set(found) == set(measured) == set(GAUGES)
    assert found["syrve.freshness.identities_overdue"] == 2
    assert found["syrve.freshness.longest_overdue_seconds"] == pytest.approx(3600, abs=60)
    assert (found["syrve.rejects.open"], found["syrve.budget.customer.calls_per_minute"]) == (1, 90)


def test_every_family_with_a_budget_has_its_gauge() -> None:
    budgeted = {each.value for each in Family} - {Family.AUTH.value}

    assert {name.split(".")[2] for name in GAUGES if name.endswith(".calls_per_minute")} == budgeted


def test_page_of_the_metrics_names_each_of_them() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(syrve\.[\w.]+)` \|", page, re.MULTILINE)) == {*COUNTERS.values(), *GAUGES}


def test_dashboard_shows_every_metric_and_no_other() -> None:
    dashboard = json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]

    asked = {name for expression in shown for name in re.findall(r"airflow_(\w+)", expression)}
    assert asked == {name.replace(".", "_") for name in (*COUNTERS.values(), *GAUGES)}
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
