"""Operators run as Airflow runs them, without its metadata database."""

import json
from pathlib import Path

import pytest

from fixtures.airflow import Running, SetConnection
from fixtures.kept_warehouse import warehouse, warehouse_dsn
from fixtures.pulls import Syncing
from syrve.api.extras import DEFAULT_BUDGETS

__all__ = ["warehouse", "warehouse_dsn"]


@pytest.fixture(autouse=True)
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that forms may read from, and the connections that they may query."""
    monkeypatch.setenv("SYRVE_INBOX", tmp_path.as_uri())
    monkeypatch.setenv("SYRVE_SOURCE_CONNECTIONS", "shop, syrve_warehouse")
    return tmp_path


@pytest.fixture
def running(syncing: Syncing, warehouse_connection: None, set_connection: SetConnection) -> Running:
    fields = {"conn_type": "syrve", "host": syncing.simulator.url, "password": "demo-login"}
    budgets = dict.fromkeys(DEFAULT_BUDGETS, 1_000_000)
    set_connection("syrve_default", **fields, extra=json.dumps({"budgets": budgets}))
    return Running(syncing)
