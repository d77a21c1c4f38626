"""Operators run as Airflow runs them, without its metadata database."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import DAG

from fixtures.airflow import SetConnection, task_context
from fixtures.pulls import Syncing
from syrve.api.config import DEFAULT_BUDGETS


@dataclass
class Running:
    """Executes operators against one simulator and one warehouse."""

    syncing: Syncing
    contexts: list[Any] = field(default_factory=list)

    def execute(
        self, operator_class: Callable[..., Any], task_id: str = "task", map_index: int = -1, **params: Any
    ) -> Any:
        context = task_context("dag", task_id, "run-1", map_index)
        self.contexts.append(context)
        with DAG("dag", schedule=None):
            operator = operator_class(task_id=task_id, **params)
        return operator.execute(context)


@pytest.fixture
def running(syncing: Syncing, warehouse_connection: None, set_connection: SetConnection) -> Running:
    fields = {"conn_type": "syrve", "host": syncing.simulator.url, "password": "demo-login"}
    budgets = dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)
    set_connection("syrve_default", **fields, extra=json.dumps({"budgets": budgets}))
    return Running(syncing)
