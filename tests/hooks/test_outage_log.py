"""What a task's log says while Syrve does not answer: host, connection and what to check, at the first wait."""

import json
import logging
import socket
from collections.abc import Iterator

import pytest

from fixtures.airflow import SetConnection
from syrve.api.config import SyrveConfig
from syrve.api.errors import NotConnected, RateLimited, ServiceUnavailable, SyrveError, UnreadableAnswer
from syrve.api.models import Lookup
from syrve.hooks.outage_log import OutageLog
from syrve.hooks.syrve import SyrveHook

PLACE = "https://syrve.example (connection syrve_default)"


@pytest.fixture
def dead_host(set_connection: SetConnection) -> Iterator[str]:
    """A connection to a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        extra = json.dumps({"call_deadline_seconds": 0.8})
        set_connection("syrve_default", conn_type="syrve", host=host, password="demo-login", extra=extra)
        yield host


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_single_call_tells_of_its_first_wait_and_its_end(dead_host: str, caplog: pytest.LogCaptureFixture) -> None:
    with SyrveHook().get_conn() as client, pytest.raises(NotConnected) as failure:
        client.organizations()

    (told,) = warnings(caplog)
    assert told.startswith(
        f"Syrve cannot be reached at {dead_host} (connection syrve_default): could not connect. Check the host"
    )
    assert str(failure.value) == (
        f"access_token: could not connect; at {dead_host} (connection syrve_default): check the host, and that this "
        "machine may connect to it"
    )


def test_many_look_ups_tell_of_one_outage_once(dead_host: str, caplog: pytest.LogCaptureFixture) -> None:
    organization_id = "5f4e0009-0000-4000-8000-000000000001"
    with SyrveHook().bulk() as bulk:
        results = bulk.look_up([Lookup(organization_id, "phone", f"+7975000000{number}") for number in range(9)])

    assert {type(result.error) for result in results} == {NotConnected}
    assert len(warnings(caplog)) == 1
    assert dead_host in warnings(caplog)[0]
    assert "+7975" not in caplog.text


def test_wait_is_told_again_after_some_seconds(caplog: pytest.LogCaptureFixture) -> None:
    moments = iter((0.0, 1.0, 4.9, 5.0))
    tell = OutageLog(PLACE, clock=lambda: next(moments))

    for _ in range(4):
        tell(NotConnected("could not connect", operation="customer_info"), 3.0)

    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RateLimited("slow down", operation="customer_info", status=429), "asks to slow down, status 429"),
        (ServiceUnavailable("no", operation="customer_info", status=503), "is in trouble, status 503"),
        (UnreadableAnswer("no JSON", operation="customer_info", status=200), "gave no usable answer: no JSON"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SyrveError) else "",
)
def test_each_trouble_has_its_own_words(error: SyrveError, words: str, caplog: pytest.LogCaptureFixture) -> None:
    OutageLog(PLACE)(error, 3.0)

    (told,) = warnings(caplog)
    assert PLACE in told
    assert words in told
    assert told.endswith("customer_info waits; the next try is in 3.0 s")


def test_place_of_an_account_holds_no_login() -> None:
    config = SyrveConfig("https://syrve.example", "secret-login", connection="syrve_default")

    assert config.place == PLACE
