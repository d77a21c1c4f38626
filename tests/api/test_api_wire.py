"""What goes out and what an answer means, operation by operation, as in the reference document and as in the live service.

Each file of `wire/DIALECT/` holds one exchange: the client's method and arguments, the path and body that go out, the answer that comes in
(of a paged operation: the pages, and the first request), and what it means to us (decimals and times as text). Naive times of the answers
are Moscow's.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import simplejson

from api.scripted_service import TOKEN_PATH, Reply, ScriptedService
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import DIALECTS, dialect_named
from syrve.api.endpoints import ENDPOINTS, Family
from syrve.api.models import CustomerChange

FOLDER = Path(__file__).parent / "wire"
EXCHANGES = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_text(), parse_float=Decimal)
    for path in sorted(FOLDER.glob("*/*.json"))
}


def plain(value: Any) -> Any:
    """A model as JSON can say it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def arguments(exchange: dict[str, Any]) -> dict[str, Any]:
    given = dict(exchange["arguments"])
    if "change" in given:
        change = dict(given["change"])
        if "birthday" in change:
            change["birthday"] = date.fromisoformat(change["birthday"])
        given["change"] = CustomerChange(**change | {"clear": tuple(change.get("clear", ()))})
    if "amount" in given:
        given["amount"] = Decimal(given["amount"])
    return given | {name: datetime.fromisoformat(given[name]) for name in ("since", "until") if name in given}


@pytest.mark.parametrize("name", EXCHANGES)
def test_exchange_is_as_it_is_written_down(
    service: ScriptedService, config_for: Callable[..., SyrveConfig], name: str
) -> None:
    exchange = EXCHANGES[name]
    answers = exchange.get("answers") or [exchange["answer"]]
    replies = [Reply(body=simplejson.dumps(answer, use_decimal=True).encode()) for answer in answers]
    service.will_answer(exchange["path"], *replies)

    with SyrveClient(config_for(service.url, dialect=name.partition("/")[0])) as client:
        result = getattr(client, exchange["method"])(**arguments(exchange))
        result = list(result) if isinstance(result, Iterator) else result

    token_request, request, *further = service.received
    assert (token_request.path, token_request.json) == (TOKEN_PATH, {"apiLogin": "demo-login"})
    assert (request.path, json.loads(request.body, parse_float=Decimal)) == (exchange["path"], exchange["request"])
    assert len(further) == len(answers) - 1
    assert request.headers["authorization"] == "Bearer token-1"
    assert request.headers["content-type"] == "application/json"
    assert plain(result) == exchange["means"]


def test_v2_token_is_asked_for_where_the_connection_has_an_application_id(
    service: ScriptedService, config_for: Callable[..., SyrveConfig]
) -> None:
    service.will_answer("/api/v2/access_token", Reply(body={"correlationId": None, "token": "token-2"}))
    service.will_answer("/api/1/organizations", Reply(body={"organizations": []}))
    config = config_for(service.url, dialect="cloud", api_login="the-key:the:secret", app_id="the-app")

    with SyrveClient(config) as client:
        client.organizations()

    asked, used = service.received
    assert (asked.path, asked.json) == (
        "/api/v2/access_token",
        {"apiKey": "the-key", "appId": "the-app", "clientSecret": "the:secret"},
    )
    assert used.headers["authorization"] == "Bearer token-2"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_operation_of_a_dialect_has_an_exchange(dialect: str) -> None:
    paths = {exchange["path"] for name, exchange in EXCHANGES.items() if name.startswith(f"{dialect}/")}
    offered = {
        str(path).format(segment="iiko")
        for row in ENDPOINTS.values()
        if row.family is not Family.AUTH and (path := dialect_named(dialect).paths.get(row.operation))
    }

    assert paths == offered
