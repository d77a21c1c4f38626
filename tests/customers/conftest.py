"""These tests only write rows, so they share one database."""

import pytest

from fixtures.rosters import Roster
from syrve.warehouse.database import Warehouse


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture
def roster(warehouse: Warehouse) -> Roster:
    return Roster(warehouse)
