"""The hook on a real HTTP service: what the button `Test` says, and what reaches logs."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.airflow import SetConnection
from syrve.api import client as client_module
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.errors import AuthenticationFailed, UnsupportedByDialect
from syrve.hooks import syrve as hook_module
from syrve.hooks.syrve import SyrveHook
from syrve_simulator.process import SimulatorProcess

LOGIN = "demo-login"


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", found.append)
    return found


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody listens on: bound, so that nobody else can take it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class Connection:
    """The connection `syrve_default` of a test, right until something about it is changed."""

    def __init__(self, simulator: SimulatorProcess, set_connection: SetConnection) -> None:
        self.simulator = simulator
        self._set = set_connection

    def test(
        self, *, host: str | None = None, password: str | None = LOGIN, port: int | None = None, **extra: Any
    ) -> tuple[bool, str]:
        self.define(host=host, password=password, port=port, **extra)
        return SyrveHook().test_connection()

    def define(
        self, *, host: str | None = None, password: str | None = LOGIN, port: int | None = None, **extra: Any
    ) -> None:
        host = self.simulator.url if host is None else host
        self._set("syrve_default", conn_type="syrve", host=host, port=port, password=password, extra=json.dumps(extra))


@pytest.fixture
def connection(simulator: SimulatorProcess, set_connection: SetConnection, masked: list[str]) -> Connection:
    return Connection(simulator, set_connection)


def test_right_connection_works_and_names_the_organizations_it_sees(connection: Connection) -> None:
    assert connection.test() == (
        True,
        "The api login works and sees 2 organizations: Trattoria Piccola Luna, Кофейня «Синий чайник».",
    )


def test_organization_filter_counts_only_what_it_names(connection: Connection) -> None:
    wanted = connection.simulator.control.organizations()[1]["organization_id"]

    assert connection.test(organization_ids=wanted.upper()) == (
        True,
        "The api login works and sees 1 organization: Trattoria Piccola Luna.",
    )


def test_organization_filter_that_matches_nothing_is_told(connection: Connection) -> None:
    works, told = connection.test(organization_ids="5f4e0007-0000-4000-8000-000000000001")

    assert not works
    assert told.startswith("The api login works, but sees none of the wanted organizations; check organization_ids")


def test_wrong_login_is_told_apart_from_an_unreachable_host(connection: Connection) -> None:
    works, told = connection.test(password="another-login")

    assert not works
    assert told.startswith("Syrve was reached, but Syrve refuses the api login; check the password field")


def test_missing_right_is_named(connection: Connection) -> None:
    connection.simulator.control.set_switches(removed_rights=["organizations"])

    assert connection.test() == (
        False,
        "The api login was accepted, but lacks the right 'Data: dictionaries'. Grant it in Syrve's back office.",
    )


def test_host_that_refuses_connections_is_told_soon(connection: Connection, free_port: int) -> None:
    works, told = connection.test(host=f"http://127.0.0.1:{free_port}", call_deadline_seconds=0.1)

    assert not works
    assert told == (
        f"Syrve could not be reached at http://127.0.0.1:{free_port}: could not connect. "
        "Check the host, and that this machine may connect to it."
    )


def test_person_waits_seconds_for_what_a_task_would_try_for_minutes(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    class WatchedClient(SyrveClient):
        def __init__(self, config: SyrveConfig, **options: Any) -> None:
            limits.append((config.call_deadline_seconds, config.timeout_seconds))
            super().__init__(config, **options)

    monkeypatch.setattr(client_module, "SyrveClient", WatchedClient)
    connection.test()
    SyrveHook().get_conn().close()

    assert limits == [(hook_module.TEST_DEADLINE_SECONDS, hook_module.TEST_TIMEOUT_SECONDS), (120.0, 15.0)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"host": "https://api-ru.iiko.services/api/1"}, "host: leave the path out (no /api/1)"),
        ({"host": ""}, "host: the base URL is missing, such as https://api-ru.iiko.services"),
        ({"host": "ftp://api-ru.iiko.services"}, "host: not an http or https URL"),
        ({"password": None}, "password: the api login is missing; put it into the connection's password field"),
        ({"dialect": "soap"}, "dialect: must be one of reference, cloud"),
        ({"api_login": LOGIN}, "extra: unknown setting 'api_login'; known ones are app_id"),
        ({"time_zone": "Moscow"}, "time_zone: not a name of the IANA time zone database"),
        ({"default_region": "Russia"}, "default_region: must be a two-letter country code"),
        ({"budgets": {"customers": 3}}, "budgets: unknown family; known ones are"),
        ({"timeout_seconds": 0}, "timeout_seconds: must be greater than zero"),
    ],
)
def test_setting_that_cannot_work_is_named_without_asking_the_service(
    connection: Connection, changes: dict[str, Any], told: str
) -> None:
    works, message = connection.test(**changes)

    assert not works
    assert message.startswith(f"The connection cannot work: {told}")
    assert connection.simulator.control.calls()["received"] == 0


def test_wrong_path_segment_is_told(connection: Connection) -> None:
    connection.simulator.control.set_faults(
        [{"operation": "organizations", "fault": "status", "status": 404, "body": "no such page"}]
    )

    works, told = connection.test()

    assert not works
    assert "Syrve does not know this path; check the host and path_segment of the connection" in told


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"fault": "rate_limit", "retry_after_seconds": 600}, "Syrve was reached, but asks to slow down."),
        ({"fault": "not_json"}, "not answer as expected: organizations: the answer is not JSON"),
        ({"fault": "status", "status": 503}, "not answer as expected: organizations: Syrve cannot answer now"),
        (
            {"fault": "status", "status": 200, "body": []},
            "not answer as expected: organizations: the answer is not an object",
        ),
        ({"fault": "reset_before"}, ": the connection broke. Check the host"),
    ],
)
def test_service_that_does_not_answer_as_it_should_is_told(
    connection: Connection, fault: dict[str, Any], told: str
) -> None:
    connection.simulator.control.set_faults([{"operation": "organizations"} | fault])

    works, message = connection.test(call_deadline_seconds=0.1)

    assert not works
    assert told in message


def test_no_message_holds_the_login_or_a_token(connection: Connection, masked: list[str]) -> None:
    messages = [connection.test()[1], connection.test(password="another-login")[1]]
    connection.simulator.control.set_switches(removed_rights=["organizations"])
    messages += [connection.test()[1], connection.test(host=f"{connection.simulator.url}/api/1")[1]]

    assert len(set(messages)) == 4
    secrets = {"another-login", *masked}
    assert len(secrets) == 4, "two logins, and a token of each of two sign-ins"
    assert not [secret for secret in secrets for message in messages if secret in message]


def test_login_and_each_token_are_masked_before_they_are_used(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, list[str]]] = []

    def mask(secret: str) -> None:
        seen.append((secret, sorted(connection.simulator.control.calls()["operations"])))

    monkeypatch.setattr(hook_module, "mask_secret", mask)
    connection.define()
    with SyrveHook().get_conn() as client:
        client.organizations()
        connection.simulator.control.expire_tokens()
        client.organizations()

    assert [asked for _, asked in seen] == [
        [],
        ["access_token"],
        ["access_token", "organizations"],
    ]
    login, first, second = [secret for secret, _ in seen]
    assert login == LOGIN
    assert len({login, first, second}) == 3
    assert connection.simulator.control.calls()["operations"]["organizations"]["statuses"] == {"200": 2, "401": 1}


def test_bulk_client_masks_its_token_too(connection: Connection, masked: list[str]) -> None:
    from syrve.api.models import Lookup

    connection.define()
    organization_id = connection.simulator.control.organizations()[0]["organization_id"]
    customer = connection.simulator.control.customers_page(organization_id, limit=1)[0]

    with SyrveHook().bulk() as bulk:
        results = bulk.look_up([Lookup(organization_id, "phone", str(customer["phone"]))])

    assert results[0].customer is not None
    assert len(masked) == 2
    assert masked[0] == LOGIN


def test_airflow_hides_what_the_hook_hands_over(
    simulator: SimulatorProcess, set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk._shared.secrets_masker import redact
    from airflow.sdk.log import mask_secret

    secrets: list[str] = []

    def mask(secret: str) -> None:
        secrets.append(secret)
        mask_secret(secret)

    monkeypatch.setattr(hook_module, "mask_secret", mask)
    Connection(simulator, set_connection).define()
    with SyrveHook().get_conn() as client:
        client.organizations()

    assert len(secrets) == 2
    assert [redact(f"Bearer {secret}!") for secret in secrets] == ["Bearer ***!"] * 2


def test_port_of_the_connection_is_part_of_the_base_url(connection: Connection) -> None:
    host, _, port = connection.simulator.url.rpartition(":")

    assert connection.test(host=host, port=int(port))[0]
    connection.define(host="api.example.test", port=8443)
    assert SyrveHook().config().base_url == "https://api.example.test:8443"


def test_other_connection_than_the_default_can_be_named(connection: Connection, set_connection: SetConnection) -> None:
    set_connection("second_account", conn_type="syrve", host=connection.simulator.url, password="another-login")

    with SyrveHook("second_account").get_conn() as client, pytest.raises(AuthenticationFailed):
        client.organizations()


def test_empty_fields_of_the_form_mean_the_defaults(connection: Connection) -> None:
    connection.define(dialect="", organization_ids=None, budgets={}, timeout_seconds=None)

    config = SyrveHook().config()

    assert (config.dialect, config.organization_ids, config.timeout_seconds) == ("reference", (), 15.0)


def test_what_only_another_dialect_offers_is_told(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise UnsupportedByDialect(f"this version does not speak the dialect {name!r}", operation="connection")

    monkeypatch.setattr(client_module, "dialect_named", refuse)

    assert connection.test(dialect="cloud") == (
        False,
        "The connection cannot work: this version does not speak the dialect 'cloud'.",
    )
