"""A warehouse in use at each earlier migration is upgraded and then works."""

import pytest

from devstack.postgres import PostgresServer
from fixtures.upgrades import InUse, copied, upgrade_from
from syrve.warehouse.layout import known_migrations
from warehouse.test_upgrades import DATABASE, in_use

__all__ = ["in_use"]


@pytest.mark.parametrize("target", known_migrations()[:-1])
def test_warehouse_is_upgraded_from_every_migration(
    in_use: InUse,
    postgres_server: PostgresServer,
    target: str,
) -> None:
    with copied(postgres_server, DATABASE, f"upgraded_{target[:4]}") as warehouse:
        assert upgrade_from(target, warehouse) == {}

        in_use.on(warehouse).work(f"after-{target[:4]}")
