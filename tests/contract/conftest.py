"""A client that we did not write (PyPI `iikocloudapi`, generated from the vendor's API description) on the simulator."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from iikocloudapi import AppAuth, IikoCloud
from iikocloudapi._base import OpenIntEnum, OpenStrEnum
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from syrve_simulator.options import Options
from syrve_simulator.process import SimulatorProcess, start_simulator

APPLICATION = Options()


class Stranger:
    """The client, and what it was last answered with."""

    def __init__(self, url: str, auth: httpx2.Auth) -> None:
        self.http = httpx2.AsyncClient(event_hooks={"response": [self._keep]}, trust_env=False)
        self.iiko = IikoCloud(auth, base_url=url, http_client=self.http)
        self.answers: list[Any] = []

    async def _keep(self, response: httpx2.Response) -> None:
        self.answers.append((response.status_code, json.loads(await response.aread(), parse_float=Decimal)))

    def faithful(self, model: BaseModel) -> Any:
        """Return the model after comparing it with the answer it was made from: every field known, typed and of the same value."""
        status, answer = self.answers[-1]
        assert status == 200
        compare(model, answer, type(model).__name__)
        return model


def compare(value: Any, answer: Any, place: str) -> None:
    """Assert that what the client's types hold is what was on the wire."""
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{place}: fields unknown to the API description: {sorted(value.model_extra)}"
        aliases = {field.alias or to_camel(name): name for name, field in type(value).model_fields.items()}
        for alias in answer:
            compare(getattr(value, aliases[alias]), answer[alias], f"{place}.{alias}")
    elif isinstance(value, list):
        assert len(value) == len(answer), place
        for number, (item, raw) in enumerate(zip(value, answer, strict=True)):
            compare(item, raw, f"{place}[{number}]")
    elif isinstance(value, datetime):
        assert answer == value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}", place
    elif isinstance(value, OpenStrEnum | OpenIntEnum):
        assert value.is_known, f"{place}: {answer!r} is no value of the API description"
        assert value.value == answer, place
    else:
        assert value == answer, place
        assert isinstance(value, bool) == isinstance(answer, bool), place


@pytest.fixture(scope="session")
def shared_cloud_service() -> Iterator[SimulatorProcess]:
    with start_simulator(dialect="cloud", customers=60, seed=11) as process:
        yield process


@pytest.fixture
def service(shared_cloud_service: SimulatorProcess) -> SimulatorProcess:
    control = shared_cloud_service.control
    control.clear_faults()
    control.reset_switches()
    control.reset_calls()
    return shared_cloud_service


@pytest.fixture
def organization_id(service: SimulatorProcess) -> str:
    return service.control.organizations()[0]["organization_id"]


@pytest.fixture
def application() -> AppAuth:
    return AppAuth(APPLICATION.api_key, APPLICATION.app_id, APPLICATION.client_secret)


@pytest.fixture
async def stranger(service: SimulatorProcess, application: AppAuth) -> AsyncIterator[Stranger]:
    """The client, signed in as the application when it makes its first call."""
    one = Stranger(service.url, application)
    yield one
    await one.http.aclose()


@pytest.fixture
def as_stranger(service: SimulatorProcess) -> Callable[[httpx2.Auth], Stranger]:
    return lambda auth: Stranger(service.url, auth)
