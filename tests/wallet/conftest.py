"""Money in both dialects, against one simulator each and one database that is emptied before each test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from fixtures.releases import Releasing
from fixtures.wallets import Purse, open_purse
from syrve.api.config import DIALECTS, SyrveConfig
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture
def warehouse_dsn(emptied_warehouse_dsn: str) -> str:
    return emptied_warehouse_dsn


@pytest.fixture(scope="session")
def banks() -> Iterator[dict[str, SimulatorProcess]]:
    with (
        start_simulator(customers=2000, seed=31, dialect="reference") as reference,
        start_simulator(customers=2000, seed=31, dialect="cloud") as cloud,
    ):
        yield {"reference": reference, "cloud": cloud}


@pytest.fixture(params=DIALECTS)
def purse(request: pytest.FixtureRequest, banks: dict[str, SimulatorProcess], warehouse: Warehouse) -> Iterator[Purse]:
    """A customer with 100.00, under each dialect."""
    simulator = banks[request.param]
    config = SyrveConfig(simulator.url, "demo-login", dialect=request.param, timeout_seconds=5)
    yield from open_purse(simulator, warehouse, config)


@pytest.fixture
def cloud_purse(banks: dict[str, SimulatorProcess], warehouse: Warehouse) -> Iterator[Purse]:
    config = SyrveConfig(banks["cloud"].url, "demo-login", dialect="cloud", timeout_seconds=5)
    yield from open_purse(banks["cloud"], warehouse, config)


@pytest.fixture
def reference_purse(banks: dict[str, SimulatorProcess], warehouse: Warehouse) -> Iterator[Purse]:
    config = SyrveConfig(banks["reference"].url, "demo-login", timeout_seconds=5)
    yield from open_purse(banks["reference"], warehouse, config)


@pytest.fixture
def releasing(purse: Purse) -> Releasing:
    return Releasing(purse)


@pytest.fixture
def cloud(cloud_purse: Purse) -> Releasing:
    return Releasing(cloud_purse)


@pytest.fixture
def reference(reference_purse: Purse) -> Releasing:
    return Releasing(reference_purse)
