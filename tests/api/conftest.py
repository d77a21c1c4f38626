"""A service that answers what a test says, and the two transports side by side."""

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import settings

from api.scripted_service import ScriptedService
from fixtures.pulls import IMPATIENT
from syrve.api.bulk import BulkLookup
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.errors import SyrveError
from syrve.api.models import Customer, Lookup
from syrve_simulator.process import SimulatorProcess

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

Ask = Callable[[SyrveConfig, Sequence[Lookup]], list[Customer | SyrveError]]
"""Looks customers up and gives, in their order, the customer or the error that each look-up ended with."""


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    scripted = ScriptedService()
    yield scripted
    scripted.stop()


def make_config(url: str, **changes: Any) -> SyrveConfig:
    settings: dict[str, Any] = {"base_url": url, "api_login": "demo-login", "call_deadline_seconds": 20.0}
    return SyrveConfig(**settings | changes)


@pytest.fixture
def config_for() -> Callable[..., SyrveConfig]:
    """Makes a config: `config_for(url, timeout_seconds=1)`."""
    return make_config


@pytest.fixture
def simulated(simulator: SimulatorProcess) -> SyrveConfig:
    return make_config(simulator.url)


@pytest.fixture
def organization_id(simulator: SimulatorProcess) -> str:
    return simulator.control.organizations()[0]["organization_id"]


@pytest.fixture
def unused_url() -> Iterator[str]:
    """An address on loopback where nobody listens, and nobody can begin to while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def ask_one_by_one(config: SyrveConfig, lookups: Sequence[Lookup]) -> list[Customer | SyrveError]:
    results: list[Customer | SyrveError] = []
    with SyrveClient(config, backoff=IMPATIENT) as client:
        by_kind = {"phone": client.customer_by_phone, "id": client.customer_by_id, "card": client.customer_by_card}
        for lookup in lookups:
            try:
                results.append(by_kind[lookup.kind](lookup.organization_id, lookup.value))
            except SyrveError as error:
                results.append(error)
    return results


def ask_in_bulk(config: SyrveConfig, lookups: Sequence[Lookup]) -> list[Customer | SyrveError]:
    with BulkLookup(config, backoff=IMPATIENT) as bulk:
        try:
            results = bulk.look_up(lookups)
        except SyrveError as error:
            return [error] * len(lookups)
    assert [result.lookup for result in results] == list(lookups)
    return [result.customer or result.error for result in results]  # type: ignore[misc]


@pytest.fixture(params=[ask_one_by_one, ask_in_bulk], ids=["requests", "aiohttp"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Either transport; an error that ends a whole batch counts as the result of every look-up in it."""
    asking: Ask = request.param
    return asking
