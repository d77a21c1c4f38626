"""What a mapped task is given comes from an XCom, which other users can change: it is data, and never a template."""

from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import isclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Context, XComArg
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

from syrve.operators.own_templates import OwnTemplates, RedirectedTask
from syrve.provider import _OPERATORS

CODE = "{{ 6 * 7 }}"
MappedTask = tuple[DAG, MappedOperator]


@pytest.fixture
def mapped_tasks(dagbag: DagBag) -> list[MappedTask]:
    found = list(_mapped_tasks(dagbag))
    assert {dag.dag_id for dag, _ in found} >= {"syrve_customers", "syrve_balances", "syrve_backfill", "syrve_crm_push"}
    return found


def _mapped_tasks(dagbag: DagBag) -> Iterator[MappedTask]:
    for dag in dagbag.dags.values():
        for task in dag.tasks:
            if isinstance(task, MappedOperator) and isinstance(task.expand_input.value, XComArg) and mappable(task):
                yield dag, task


def rendered(dag: DAG, task: MappedOperator, given: dict[str, Any]) -> BaseOperator:
    ti = SimpleNamespace(map_index=0, task=task, xcom_pull=lambda **_: [given])
    run = SimpleNamespace(conf={}, run_type="manual")
    context = cast(Context, {"ti": ti, "dag": dag, "dag_run": run, "params": dict(dag.params.dump()), "task": task})
    task.render_template_fields(context)
    return cast(BaseOperator, ti.task)


def mappable(task: MappedOperator) -> list[str]:
    return [each for each in task.template_fields if each not in task.partial_kwargs and not each.endswith("conn_id")]


@pytest.mark.parametrize("wrap", [str, lambda code: [code], lambda code: {"a": [code]}], ids=["text", "list", "object"])
def test_value_of_a_mapped_task_is_no_template(mapped_tasks: list[MappedTask], wrap: Callable[[str], Any]) -> None:
    for dag, task in mapped_tasks:
        given = {name: wrap(CODE) for name in mappable(task)}

        operator = rendered(dag, task, given)

        assert {name: getattr(operator, name) for name in given} == given, dag.dag_id


def test_template_of_the_dag_file_is_rendered(mapped_tasks: list[MappedTask]) -> None:
    for dag, task in mapped_tasks:
        operator = rendered(dag, task, dict.fromkeys(mappable(task), "x"))

        written = [str(getattr(operator, name)) for name in task.template_fields if name in task.partial_kwargs]
        assert not any("{{" in each for each in written), dag.dag_id


@pytest.mark.parametrize("name", ["warehouse_conn_id", "syrve_conn_id"])
def test_xcom_sends_no_task_to_another_connection(mapped_tasks: list[MappedTask], name: str) -> None:
    for dag, task in mapped_tasks:
        if name in task.template_fields:
            with pytest.raises(RedirectedTask, match=name):
                rendered(dag, task, dict.fromkeys(mappable(task), "x") | {name: "elsewhere"})


FOREIGN = {
    "email": "me@example.com",
    "params": {"as_of": "2100-01-01"},
    "pool": "other",
    "default_args": {"email": "me"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_xcom_gives_no_argument_of_airflow(mapped_tasks: list[MappedTask], name: str) -> None:
    for dag, task in mapped_tasks:
        if name in task.partial_kwargs:
            continue  # Airflow refuses it
        given = dict.fromkeys(mappable(task), "x") | {name: FOREIGN[name]}
        ti = SimpleNamespace(map_index=0, task=task, xcom_pull=lambda **_: [given])  # noqa: B023 - used in this turn
        run = SimpleNamespace(conf={}, run_type="manual")
        context = cast(Context, {"ti": ti, "dag": dag, "dag_run": run, "params": {}, "task": task})

        with pytest.raises(RedirectedTask, match="an argument that is Airflow's"):
            task.render_template_fields(context)

        assert ti.task is task, "Airflow mails to whom the DAG file says"


def test_xcom_gives_reconciliation_no_moment(dagbag: DagBag) -> None:
    dag = dagbag.dags["syrve_reconcile_holds"]
    task = cast(MappedOperator, dag.task_dict["reconcile"])

    with pytest.raises(TypeError, match="as_of"):
        rendered(dag, task, {"organization_id": "x", "as_of": "2100-01-01T00:00:00+00:00"})


def test_every_operator_renders_its_own_templates_only() -> None:
    modules = [import_module(name) for name in _OPERATORS]
    operators = [
        each for module in modules for each in vars(module).values() if isclass(each) and issubclass(each, BaseOperator)
    ]
    ours = {each for each in operators if each.__module__.startswith("syrve.")}

    assert len(ours) > 30
    assert [each.__name__ for each in ours if not issubclass(each, OwnTemplates)] == []
