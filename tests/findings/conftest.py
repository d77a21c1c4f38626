"""A ledger that each test writes, in one database that is emptied before each."""

from collections.abc import Iterator

import pytest

from fixtures.books import Book, open_book
from syrve.warehouse.database import Warehouse


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture
def book(warehouse: Warehouse, warehouse_dsn: str) -> Iterator[Book]:
    yield from open_book(warehouse, warehouse_dsn)
