"""A service whose pages repeat each other, never end, or move between two reads."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from api.scripted_service import Reply, ScriptedService
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.errors import MalformedAnswer

ORG = "7bc05553-4b68-44e8-b7bc-37be63c6d9e9"
GUEST = "0a1b2c3d-0000-4000-8000-000000000001"
SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
PATH = dialect_named("cloud").paths["transactions_by_date"].format(segment="iiko")


@pytest.fixture
def cloud(service: ScriptedService) -> Iterator[SyrveClient]:
    with SyrveClient(SyrveConfig(service.url, "login", dialect="cloud")) as client:
        yield client


def row(number: int, amount: int = 1) -> dict[str, Any]:
    return {"id": str(UUID(int=number)), "revision": number, "sum": amount}


def page(*rows: dict[str, Any]) -> Reply:
    return Reply(body={"transactions": list(rows)})


def read(client: SyrveClient) -> list[tuple[int, Any]]:
    return [(each.revision, each.amount) for each in client.transactions_by_date(ORG, GUEST, SINCE, UNTIL)]


def test_page_that_comes_for_ever_ends_the_read(service: ScriptedService, cloud: SyrveClient) -> None:
    service.will_answer(PATH, page(row(1), row(2)))

    with pytest.raises(MalformedAnswer, match="repeat each other"):
        read(cloud)

    assert service.paths().count(PATH) == 3


def test_pages_without_end_end_the_read(
    service: ScriptedService, cloud: SyrveClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syrve.api.client.MAX_PAGES", 5)
    service.will_answer(PATH, *(page(row(number)) for number in range(1, 20)))

    with pytest.raises(MalformedAnswer, match="never end"):
        read(cloud)


def test_rows_that_move_between_pages_are_read_once(service: ScriptedService, cloud: SyrveClient) -> None:
    service.will_answer(PATH, page(row(3), row(2)), page(row(2), row(1)), page(row(1)), page())

    assert read(cloud) == [(3, 1), (2, 1), (1, 1)]


def test_rows_that_differ_under_one_id_are_two(service: ScriptedService, cloud: SyrveClient) -> None:
    service.will_answer(PATH, page(row(1, 10), row(1, 20)), page(row(1, 20)), page())

    assert read(cloud) == [(1, 10), (1, 20)]
