"""Erasing people from a warehouse that was pulled from a simulator."""

from pathlib import Path

import pytest

from fixtures.kept_warehouse import warehouse, warehouse_dsn
from fixtures.persons import Persons
from fixtures.wallet_fixtures import banks, reference_purse
from fixtures.wallets import Purse

__all__ = ["banks", "reference_purse", "warehouse", "warehouse_dsn"]


@pytest.fixture
def persons(reference_purse: Purse, tmp_path: Path) -> Persons:
    return Persons(reference_purse, tmp_path)
