"""What the transports do with HTTP itself; each case with a service that answers just that."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from api.conftest import Ask
from api.scripted_service import INFO_PATH, TOKEN_PATH, Reply, ScriptedService
from fixtures.answers import EMPTY
from syrve.api.bulk import BulkLookup
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.errors import ConfigurationError, MalformedAnswer, NotFound, Rejected
from syrve.api.models import Customer, CustomerChange, Lookup

ORGANIZATION_ID = "7bc05553-4b68-44e8-b7bc-37be63c6d9e9"
CUSTOMER_ID = "5f4e0001-0000-4000-8000-000000000001"
CUSTOMER = EMPTY | {"id": CUSTOMER_ID}
BARE = Customer(customer_id=CUSTOMER_ID, absent=("walletBalances", "cards", "categories"))
"""A customer of whom the answer says nothing: its lists are not known to be empty."""
LOOKUP = Lookup(ORGANIZATION_ID, "id", CUSTOMER_ID)
MakeConfig = Callable[..., SyrveConfig]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(ask: Ask, service: ScriptedService, config_for: MakeConfig, status: int) -> None:
    service.will_answer(INFO_PATH, Reply(status, headers={"Location": f"{service.url}/elsewhere"}))
    service.will_answer("/elsewhere", Reply(body=CUSTOMER))

    (result,) = ask(config_for(service.url), [LOOKUP])

    assert type(result) is ConfigurationError
    assert service.paths() == [TOKEN_PATH, INFO_PATH]


def test_wrong_path_segment_is_told_as_such(ask: Ask, service: ScriptedService, config_for: MakeConfig) -> None:
    service.will_answer(INFO_PATH, Reply(body=CUSTOMER))

    (result,) = ask(config_for(service.url, path_segment="syrve"), [LOOKUP])

    assert type(result) is ConfigurationError
    assert "path_segment" in str(result)


GARBAGE_TOKENS: list[Any] = [
    {},
    [],
    None,
    {"token": ""},
    {"token": 7},
    {"token": "one\r\nX-Two: 2"},
    {"token": "жетон"},
]


@pytest.mark.parametrize("answer", GARBAGE_TOKENS, ids=repr)
def test_answer_without_a_usable_token_ends_everything_at_once(
    ask: Ask, service: ScriptedService, config_for: MakeConfig, answer: Any
) -> None:
    service.will_answer(TOKEN_PATH, Reply(body=answer))

    results = ask(config_for(service.url), [LOOKUP, LOOKUP])

    assert {type(result) for result in results} == {MalformedAnswer}
    assert set(service.paths()) == {TOKEN_PATH}


@pytest.mark.parametrize("reply", [Reply(body={}), Reply(400)], ids=["no token", "refused"])
def test_batch_without_a_token_asks_for_one_once(
    service: ScriptedService, config_for: MakeConfig, reply: Reply
) -> None:
    service.will_answer(TOKEN_PATH, reply)

    with BulkLookup(config_for(service.url)) as bulk, pytest.raises((MalformedAnswer, Rejected)):
        bulk.look_up([LOOKUP] * 50)

    assert service.paths() == [TOKEN_PATH]


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("concurrent", "blocking"):
        monkeypatch.setattr(f"syrve.api.transports.{module}.MAX_ANSWER_BYTES", 200_000)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    "reply",
    [Reply(body=b" " * 300_000), Reply(body=b" " * 50_000, is_endless=True)],
    ids=["announced", "without end"],
)
def test_answer_beyond_measure_is_given_up_and_not_asked_for_again(
    ask: Ask, service: ScriptedService, config_for: MakeConfig, reply: Reply
) -> None:
    service.will_answer(INFO_PATH, reply)

    (result,) = ask(config_for(service.url), [LOOKUP])

    assert type(result) is MalformedAnswer
    assert service.paths().count(INFO_PATH) == 1


@pytest.mark.usefixtures("small_limits")
def test_answer_just_within_the_limit_is_read(ask: Ask, service: ScriptedService, config_for: MakeConfig) -> None:
    service.will_answer(INFO_PATH, Reply(body=json.dumps(CUSTOMER).encode() + b" " * 199_000))

    assert ask(config_for(service.url), [LOOKUP]) == [BARE]


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login somebody password canary\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


@pytest.mark.usefixtures("netrc")
def test_netrc_of_the_machine_takes_no_tokens_place(ask: Ask, service: ScriptedService, config_for: MakeConfig) -> None:
    service.will_answer(INFO_PATH, Reply(body=CUSTOMER))

    ask(config_for(service.url), [LOOKUP])

    token_request, request = service.received
    assert "authorization" not in token_request.headers
    assert request.headers["authorization"] == "Bearer token-1"


@pytest.fixture
def proxy(service: ScriptedService, monkeypatch: pytest.MonkeyPatch) -> ScriptedService:
    """The scripted service in the place of a proxy: it sees whole addresses as paths."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", service.url)
    service.will_answer(f"http://syrve.test{TOKEN_PATH}", Reply(body={"token": "token-1"}))
    service.will_answer(f"http://syrve.test{INFO_PATH}", Reply(body=CUSTOMER))
    return service


@pytest.mark.usefixtures("netrc")
def test_proxy_of_the_environment_is_used(ask: Ask, proxy: ScriptedService, config_for: MakeConfig) -> None:
    assert ask(config_for("http://syrve.test"), [LOOKUP]) == [BARE]

    assert proxy.paths() == [f"http://syrve.test{TOKEN_PATH}", f"http://syrve.test{INFO_PATH}"]


def test_proxy_is_not_used_for_hosts_that_the_environment_leaves_out(
    ask: Ask, proxy: ScriptedService, config_for: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    proxy.will_answer(INFO_PATH, Reply(body=CUSTOMER))

    ask(config_for(proxy.url), [LOOKUP])

    assert proxy.paths() == [TOKEN_PATH, INFO_PATH]


def test_names_go_out_as_utf_8_and_a_lone_surrogate_stops_nothing(
    service: ScriptedService, config_for: MakeConfig
) -> None:
    path = "/api/1/loyalty/iiko/customer/create_or_update"
    service.will_answer(path, Reply(body={"id": CUSTOMER_ID}))

    with SyrveClient(config_for(service.url)) as client:
        client.create_or_update(ORGANIZATION_ID, CustomerChange(phone="+79001234567", name="Жанна \ud83d"))

    assert service.received[-1].json["name"] == "Жанна ?"


def test_organizations_are_those_that_the_connection_names(service: ScriptedService, config_for: MakeConfig) -> None:
    listed = [{"id": ORGANIZATION_ID, "name": "one"}, {"id": CUSTOMER_ID, "name": "two"}]
    service.will_answer("/api/1/organizations", Reply(body={"organizations": listed}))

    with SyrveClient(config_for(service.url, organization_ids=(CUSTOMER_ID,))) as client:
        assert [each.name for each in client.organizations()] == ["two"]


def test_listing_of_series_without_the_organization_asked_for_is_malformed(
    service: ScriptedService, config_for: MakeConfig
) -> None:
    body = {"couponSeries": [{"organizationId": CUSTOMER_ID, "items": []}]}
    service.will_answer("/api/1/loyalty/iiko/coupons/series", Reply(body=body))

    with SyrveClient(config_for(service.url)) as client, pytest.raises(MalformedAnswer, match="organization asked for"):
        client.coupon_series(ORGANIZATION_ID)


def test_unknown_coupon_is_an_empty_list_however_it_is_said(service: ScriptedService, config_for: MakeConfig) -> None:
    path = "/api/1/loyalty/iiko/coupons/info"
    service.will_answer(path, Reply(404), Reply(body={"couponInfo": None}), Reply(body={"couponInfo": []}))

    with SyrveClient(config_for(service.url)) as client:
        assert [client.coupons(ORGANIZATION_ID, "PROMO") for _ in range(3)] == [[], [], []]


def test_token_is_told_before_it_is_used(service: ScriptedService, config_for: MakeConfig) -> None:
    service.will_answer(INFO_PATH, Reply(404))
    requests_seen: list[int] = []

    config = config_for(service.url)
    with (
        SyrveClient(config, on_token=lambda _: requests_seen.append(len(service.received))) as client,
        suppress(NotFound),
    ):
        client.customer_by_id(ORGANIZATION_ID, CUSTOMER_ID)

    assert requests_seen == [1]


@pytest.mark.parametrize(("keeps_connection", "connections"), [(True, 1), (False, 6)])
def test_connection_is_kept_from_call_to_call_unless_each_shall_have_its_own(
    service: ScriptedService,
    config_for: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    keeps_connection: bool,
    connections: int,
) -> None:
    service.will_answer("/api/1/organizations", Reply(body={"organizations": []}))
    opened: list[object] = []
    connect = socket.socket.connect

    def counted(self: socket.socket, address: Any) -> None:
        opened.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    with SyrveClient(config_for(service.url), keeps_connection=keeps_connection) as client:
        for _ in range(5):
            client.organizations()

    assert opened == [("127.0.0.1", int(service.url.rpartition(":")[2]))] * connections
