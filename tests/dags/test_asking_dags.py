"""Whoever is asked by a run can answer on the page: its inbox shows the questions of every DAG that asks."""

from airflow.dag_processing.dagbag import DagBag

from syrve.operators.asking import SyrveAskOperator
from syrve.ui.views.inbox import ASKING_DAGS


def test_inbox_of_the_page_shows_every_dag_that_asks(dagbag: DagBag) -> None:
    asking = {
        dag_id for dag_id, dag in dagbag.dags.items() if any(isinstance(task, SyrveAskOperator) for task in dag.tasks)
    }

    assert asking == set(ASKING_DAGS)
