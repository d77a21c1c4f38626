"""These tests only write rows, so they share one database."""

import pytest


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn
