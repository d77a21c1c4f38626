"""A migrated database for the tests of this folder that leave nothing behind: making one for each would be most of their time."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import settings
from psycopg2 import sql

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


@pytest.fixture(scope="module")
def make_login(postgres_server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Makes a login role that is granted a group role and gives its name; roles belong to the server, so each has one of its own."""
    made: list[str] = []

    def execute(statement: str, *names: str) -> None:
        connection = psycopg2.connect(postgres_server.dsn("postgres"))
        try:
            connection.autocommit = True
            connection.cursor().execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        finally:
            connection.close()

    def make(group: str) -> str:
        name = f"test_{group}_{uuid4().hex[:12]}"
        execute("create role {} login", name)
        made.append(name)
        execute("grant {} to {}", group, name)
        return name

    yield make
    for name in made:
        execute("drop role {}", name)
