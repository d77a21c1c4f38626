"""Files and queries of every kind, against one database that is emptied before each test."""

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn
