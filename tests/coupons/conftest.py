"""These tests only write rows, so they share one database; and one simulator, which lists what each test makes it list."""

from collections.abc import Iterator

import pytest

from fixtures.coupons import Couponing, series
from syrve.api.config import SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture(scope="session")
def own_simulator() -> Iterator[SimulatorProcess]:
    """A simulator of these tests' own: the series that it is made to list stay."""
    with start_simulator(customers=10, seed=7) as process:
        yield process


@pytest.fixture
def coupons(own_simulator: SimulatorProcess, warehouse: Warehouse) -> Couponing:
    own_simulator.control.clear_faults()
    own_simulator.control.clear_raw_answers()
    own_simulator.control.set_switches(removed_rights=[], organizations_without_loyalty=[])
    found = Couponing(own_simulator, warehouse, SyrveConfig(base_url=own_simulator.url, api_login="demo-login"))
    found.offer(series(1), series(2), series(3))
    return found
