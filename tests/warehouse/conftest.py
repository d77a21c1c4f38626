"""A migrated database for the tests of this folder that leave nothing behind: making one for each would be most of their time."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import settings

from devstack.postgres import PostgresServer
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="module")
def lasting_dsn(postgres_server: PostgresServer, warehouse_template: str) -> Iterator[str]:
    """The libpq URL of a migrated database that the tests of a module share."""
    name = f"test_{uuid4().hex}"
    postgres_server.create_database(name, warehouse_template)
    yield postgres_server.dsn(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def lasting_warehouse(lasting_dsn: str) -> Warehouse:
    """The warehouse that the tests of a module share; each leaves it as it was."""
    return Warehouse(url_from_text(lasting_dsn))
