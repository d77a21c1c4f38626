"""The call budget works on the newest and on the oldest Postgres that is supported."""

import uuid
from collections.abc import Iterator

import pytest

from devstack.postgres import PostgresServer
from syrve.warehouse.budget import CallBudget
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.migrate import migrate


@pytest.fixture(params=["newest", "oldest"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """A warehouse on a server of that version."""
    fixture = {"newest": "postgres_server", "oldest": "old_postgres_server"}[request.param]
    server: PostgresServer = request.getfixturevalue(fixture)
    name = f"test_{uuid.uuid4().hex}"
    server.create_database(name)
    found = Warehouse(url_from_text(server.dsn(name)))
    migrate(found.url)
    yield found
    server.drop_database(name)


@pytest.mark.parametrize("bulk", [True, False])
def test_first_and_next_permits_are_given_and_a_pause_is_kept(warehouse: Warehouse, bulk: bool) -> None:
    with CallBudget(warehouse, account="test", per_minute={"customer": 6000}, bulk=bulk) as taker:
        first, second = taker.take("customer", 10), taker.take("customer", 10)
        taker.pause("customer", 60)
        paused = taker.take("customer", 10)

    assert (first.count, second.count, paused.count) == (10, 10, 0)
    assert paused.wait_seconds > 50
