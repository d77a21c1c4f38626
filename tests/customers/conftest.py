"""These tests only write rows, so they share one database."""

import pytest

from fixtures.backfills import Filling
from fixtures.chains import Chain
from fixtures.kept_warehouse import warehouse, warehouse_dsn
from fixtures.pulls import Syncing
from fixtures.rosters import Roster
from syrve.warehouse.database import Warehouse

__all__ = ["warehouse", "warehouse_dsn"]


@pytest.fixture
def roster(warehouse: Warehouse) -> Roster:
    return Roster(warehouse)


@pytest.fixture
def chain(warehouse: Warehouse) -> Chain:
    return Chain(warehouse)


@pytest.fixture
def filling(syncing: Syncing) -> Filling:
    return Filling(syncing)
