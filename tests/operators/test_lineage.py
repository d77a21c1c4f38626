"""What OpenLineage is told of the operators: tables by warehouse, and nothing of a person."""

import importlib
import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.sdk import BaseOperator
from airflow.utils.state import TaskInstanceState

from fixtures.airflow import Running
from syrve.operators.base import WarehouseOperator
from syrve.operators.customers import SyrvePullCustomersOperator
from syrve.provider import get_provider_info


def operators() -> Iterator[type[BaseOperator]]:
    for listed in get_provider_info()["operators"]:
        for module in listed["python-modules"]:
            for each in vars(importlib.import_module(module)).values():
                if inspect.isclass(each) and issubclass(each, BaseOperator) and each.__module__ == module:
                    yield each


def test_pull_tells_the_tables_it_read_and_wrote(running: Running) -> None:
    syncing = running.syncing
    customers = syncing.customers(5)
    syncing.add(phone=[each["phone"] for each in customers])
    running.execute(SyrvePullCustomersOperator, task_id="pull", organization_id=syncing.organization_id)

    manager = ExtractorManager()  # type: ignore[no-untyped-call]  # so it is in the provider
    told = manager.extract_metadata(
        SimpleNamespace(run_id="run-1"), running.operators[-1], TaskInstanceState.SUCCESS, SimpleNamespace()
    )

    url = syncing.warehouse.url
    assert {each.name for each in told.inputs} == {f"{url.database}.sync.roster"}
    assert {each.name for each in told.outputs} == {
        f"{url.database}.{table}" for table in SyrvePullCustomersOperator.writes
    }
    assert {each.namespace.partition(":")[0] for each in (*told.inputs, *told.outputs)} == {"postgres"}
    personal = {str(value) for each in customers for value in (each["phone"], each["customer_id"])}
    assert not [value for value in personal if value in str(told)]


def test_task_that_opened_no_warehouse_tells_nothing() -> None:
    told = WarehouseOperator(task_id="idle").get_openlineage_facets_on_complete(None)

    assert (told.inputs, told.outputs) == ([], [])


def test_lineage_names_tables_that_exist(running: Running) -> None:
    relations = {
        f"{schema}.{name}"
        for schema, name in running.syncing.rows(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where relkind in ('r', 'p', 'v')"
        )
    }
    named = {
        table for each in operators() if issubclass(each, WarehouseOperator) for table in (*each.reads, *each.writes)
    }

    assert len(named) > 20
    assert named <= relations


@pytest.mark.parametrize("operator", operators(), ids=lambda each: each.__name__)
def test_connection_of_an_operator_may_be_a_template(operator: Any) -> None:
    named = {
        name
        for each in operator.__mro__
        if each.__module__.startswith("syrve.")
        for name in inspect.signature(each.__init__).parameters
        if name.endswith("conn_id")
    }

    assert named <= set(operator.template_fields)
