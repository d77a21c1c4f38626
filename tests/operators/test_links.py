"""Buttons and names of tasks in Airflow: where they lead, and what is shown while the warehouse is away."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.airflow import SetConnection, postgres_fields, task_context
from syrve.operators.approval import SyrveApprovePushOperator
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.operators.findings_report import SyrveFindingsReportOperator
from syrve.operators.links import SyrvePageLink, SyrveRejectsLink, SyrveReportLink, page_url

ORGANIZATION = "5f4e0000-0000-4000-8000-000000000001"


def links_of(operator: Any, dag_id: str) -> Mapping[str, str]:
    key: Any = SimpleNamespace(dag_id=dag_id)
    return {each.name: each.get_link(operator, ti_key=key) for each in operator.operator_extra_links}


@pytest.fixture
def base_url(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/under/")
    return "https://airflow.example/under"


def test_tasks_lead_to_the_view_of_their_work(base_url: str) -> None:
    pull = SyrvePullCustomersOperator(task_id="pull", organization_id=ORGANIZATION)

    assert links_of(pull, "syrve_customers") == {
        "Syrve page": f"{base_url}/syrve/freshness",
        "Rejects": f"{base_url}/syrve/rejects",
    }
    assert links_of(pull, "dag_of_ones_own")["Syrve page"] == f"{base_url}/syrve/"
    assert page_url() == f"{base_url}/syrve/"


@pytest.mark.parametrize(
    ("link", "shown"),
    [("https://files.example/latest.html", "https://files.example/latest.html"), ("/opt/reports/latest.html", "")],
)
def test_report_is_a_button_where_a_browser_can_open_it(link: str, shown: str) -> None:
    report = SyrveFindingsReportOperator(task_id="report")
    assert links_of(report, "syrve_reconcile_holds")["Report"] == ""
    report.report_link = link

    assert links_of(report, "syrve_reconcile_holds")["Report"] == shown
    assert {type(each) for each in report.operator_extra_links} == {SyrvePageLink, SyrveRejectsLink, SyrveReportLink}


def test_index_shows_the_id_of_an_organization_without_name(
    emptied_warehouse_dsn: str, set_connection: SetConnection
) -> None:
    pull = SyrvePullCustomersOperator(task_id="pull", organization_id=ORGANIZATION)
    for fields in (postgres_fields(emptied_warehouse_dsn), {"conn_type": "postgres", "host": "127.0.0.1", "port": 9}):
        set_connection("syrve_warehouse", **fields)
        context = task_context(map_index=0)

        pull.pre_execute(context)

        assert context["organization_name"] == ORGANIZATION


def test_task_that_asks_leads_to_the_inbox_and_to_its_view(base_url: str) -> None:
    approve = SyrveApprovePushOperator(task_id="approve")

    assert links_of(approve, "syrve_crm_push") == {
        "Syrve inbox": f"{base_url}/syrve/inbox",
        "Syrve page": f"{base_url}/syrve/push",
    }
