"""A warehouse in use at an earlier migration is upgraded and then works; `tests/scale` goes through every migration."""

from collections.abc import Iterator

import pytest

from devstack.postgres import PostgresServer
from fixtures.pushes import Pushing
from fixtures.upgrades import InUse, copied, fill, upgrade_from
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from syrve_simulator.process import start_simulator

pytestmark = pytest.mark.slow
DATABASE = "warehouse_in_use"


@pytest.fixture(scope="module")
def in_use(postgres_server: PostgresServer, warehouse_template: str) -> Iterator[InUse]:
    """A warehouse that has worked, to be copied."""
    postgres_server.create_database(DATABASE, warehouse_template)
    try:
        with start_simulator(customers=60, seed=37) as service:
            warehouse = Warehouse(url_from_text(postgres_server.dsn(DATABASE)))
            config = SyrveConfig(base_url=service.url, api_login="demo-login")
            yield from fill(Pushing(service, warehouse, config))
    finally:
        postgres_server.drop_database(DATABASE)


@pytest.mark.parametrize("target", ["0004.sync"])
def test_warehouse_in_use_is_upgraded_and_works(in_use: InUse, postgres_server: PostgresServer, target: str) -> None:
    with copied(postgres_server, DATABASE, f"upgraded_{target[:4]}") as warehouse:
        assert upgrade_from(target, warehouse) == {}

        in_use.on(warehouse).work(f"after-{target[:4]}")
