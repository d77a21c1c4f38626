"""The receiver over HTTP, as a process of its own on a real Postgres, with the rights of syrve_receiver."""

import json
import socket
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from starlette.testclient import TestClient

from signals.conftest import SECRETS, RunningReceiver
from signals.shapes import CUSTOMER, ONE, ORDER, PHONE, TWO, WALLET, balance_notification, new_id, order_event
from syrve.signals.events import Event
from syrve.signals.keeping import Received
from syrve.signals.receiver import Receiver, create_app
from syrve.signals.secrets import hash_of
from syrve.warehouse.database import Warehouse

Query = Callable[..., list[tuple[Any, ...]]]
SECRET = SECRETS[ONE]


@pytest.mark.parametrize("header", [SECRET, f"Bearer {SECRET}", f"bearer {SECRET}"])
def test_order_event_is_kept_when_it_is_answered(receiver: RunningReceiver, query: Query, header: str) -> None:
    assert receiver.post([order_event()], header).status_code == 200

    kept = query(
        "select organization_id::text, kind, customer_id::text, phone, order_id::text, external_number, amount from sync.signal"
    )
    assert kept == [(ONE, "order_completed", CUSTOMER, PHONE, ORDER, "SITE-7", Decimal("120.35"))]


def test_balance_is_kept_with_the_secret_in_the_body(receiver: RunningReceiver, query: Query) -> None:
    assert receiver.post(balance_notification(password=SECRET)).status_code == 200

    kept = query("select kind, customer_id::text, wallet_id::text, change, balance, change_type from sync.signal")
    assert kept == [("balance", CUSTOMER, WALLET, Decimal(50), Decimal("170.35"), "RefillWalletFromOrder")]


def test_nothing_of_a_person_but_keys_is_kept(receiver: RunningReceiver, query: Query) -> None:
    receiver.post(
        [order_event(), {"eventType": "Odd", "organizationId": ONE, "eventInfo": {"name": "Canaryname", PHONE: 1}}],
        SECRET,
    )

    assert query("select count(*) from sync.signal") == [(2,)]
    assert query("select count(*) from sync.signal as kept where kept::text ilike '%%canary%%'") == [(0,)]
    assert query("select field_names from sync.signal where kind = 'other'") == [(["name"],)]


def test_same_report_twice_is_one_signal(receiver: RunningReceiver, query: Query) -> None:
    event = order_event()
    again = event | {"correlationId": new_id()}

    assert [receiver.post(each, SECRET).status_code for each in ([event], [again], again, [event, again])] == [200] * 4

    assert query("select count(*) from sync.signal") == [(1,)]


def test_same_words_of_two_organizations_are_two_signals(receiver: RunningReceiver, query: Query) -> None:
    event = {key: value for key, value in balance_notification().items() if not key.endswith("rganizationId")}
    event.pop("uocId", None)

    answers = [receiver.post(event, SECRETS[each]).status_code for each in (ONE, TWO)]

    assert answers == [200, 200]
    assert query("select organization_id::text from sync.signal order by signal_id") == [(ONE,), (TWO,)]


def test_type_that_is_no_name_of_a_type_is_not_kept(receiver: RunningReceiver, query: Query) -> None:
    receiver.post([{"eventType": f"call {PHONE}", "organizationId": ONE, "eventInfo": {}}], SECRET)
    receiver.post(balance_notification(transactionType="Canaryname, " + PHONE), SECRET)

    assert query("select event_type, change_type from sync.signal order by signal_id") == [
        ("unnamed", None),
        ("balance", None),
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (f"Canaryname {PHONE}", None),
        (PHONE, None),
        ("8 (975) 000-00-42", None),
        ("canary42@example.com", None),
        ("Canaryname", None),
        ("SITE-7/2026", "SITE-7/2026"),
        (4711, "4711"),
        ("№12", "№12"),
    ],
)
def test_number_of_an_order_is_one_word_with_a_digit(
    receiver: RunningReceiver, query: Query, written: object, kept: str | None
) -> None:
    event = order_event(number=written)
    event["eventInfo"]["externalNumber"] = written
    receiver.post([event], SECRET)
    receiver.post(balance_notification(orderNumber=written), SECRET)

    numbers = query("select external_number, order_number from sync.signal order by signal_id")
    assert numbers == [(kept, kept), (None, kept)]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1900-01-01", "never"])
def test_time_of_no_calendar_keeps_no_event_away(receiver: RunningReceiver, query: Query, time: str) -> None:
    odd = {"eventType": "Odd", "organizationId": ONE, "eventTime": time}

    assert receiver.post([odd], SECRET).status_code == 200

    assert query("select event_type, event_at from sync.signal") == [("Odd", None)]


def test_text_that_was_cut_within_a_character_loses_no_event(receiver: RunningReceiver, query: Query) -> None:
    event = order_event(comment="Canary\ud83d", number="47\udc00")

    answers = {receiver.post(json.dumps([event]).encode(), SECRET).status_code for _ in range(2)}

    assert answers == {200}
    assert query("select kind, order_id::text, order_number from sync.signal") == [("order_completed", ORDER, None)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event_at", "infinity"),
        ("event_at", "1900-01-01"),
        ("order_number", "1" * 1001),
        ("field_names", "{" + "a" * 10_001 + "}"),
    ],
)
def test_login_of_the_receiver_adds_no_endless_value(
    receiver_dsn: str, with_secrets: Warehouse, column: str, value: str
) -> None:
    add = (
        f"insert into sync.signal (content_key, organization_id, kind, event_type, channel, {column}) "
        "values (sha256('a'), %s, 'other', 'Odd', 'webhook', %s)"
    )
    with (
        closing(psycopg2.connect(receiver_dsn)) as connection,
        pytest.raises(psycopg2.errors.CheckViolation),
        connection.cursor() as cursor,
    ):
        cursor.execute(add, (ONE, value))


def test_nothing_is_read_of_an_event_before_its_sender_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:
        async def keep(self, events: Received) -> None:
            raise AssertionError("kept")

        async def secrets(self) -> list[tuple[str, bytes]]:
            return [(ONE, hash_of(SECRET))]

    def read(*_: object, **__: object) -> list[Event]:
        raise AssertionError("read")

    monkeypatch.setattr("syrve.signals.receiver.read_events", read)
    client = TestClient(create_app(Receiver(Store(), region="RU")), raise_server_exceptions=True)

    for body in ([order_event()], [balance_notification(password=SECRET), balance_notification()]):
        assert client.post("/events", json=body).status_code == 401
    with pytest.raises(AssertionError, match="read"):
        client.post("/events", json=[order_event()], headers={"Authorization": SECRET})


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        ([order_event()], None),
        ([order_event()], "wrong-secret-of-a-stranger-0000"),
        ([order_event()], SECRETS[TWO]),
        ([order_event(), order_event(TWO)], SECRET),
        (balance_notification(), None),
        (balance_notification(password="wrong-secret-of-a-stranger-0000"), None),
        (balance_notification(password=SECRETS[TWO]), None),
        (balance_notification(TWO, SECRET), None),
        ([balance_notification(password=SECRET), order_event()], None),
        (balance_notification(password=SECRET), "wrong-secret-of-a-stranger-0000"),
        (b"[" * 60_000 + b"]" * 60_000, None),
        (b"no json at all", None),
    ],
    ids=lambda value: None,
)
def test_unproven_sender_is_refused(receiver: RunningReceiver, query: Query, body: Any, secret: str | None) -> None:
    assert receiver.post(body, secret).status_code in (401, 413)

    assert query("select count(*) from sync.signal") == [(0,)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 10_000_000, 413),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b"[" * 400_000, 400),
        (b'"text"', 400),
        (b"[]", 400),
        (b"[1, 2]", 400),
        (b"[" + b"{}," * 2_000 + b"{}]", 400),
        (b"\xff\xfe", 400),
    ],
    ids=["10 MB", "deep objects", "deep lists", "text", "empty", "numbers", "too many", "no text"],
)
def test_body_that_holds_no_events_is_refused(
    receiver: RunningReceiver, query: Query, body: bytes, status: int
) -> None:
    assert receiver.post(body, SECRET).status_code == status

    assert query("select count(*) from sync.signal") == [(0,)]
    assert receiver.post([order_event()], SECRET).status_code == 200


def test_secret_in_an_address_counts_for_nothing(receiver: RunningReceiver) -> None:
    assert receiver.client.post(f"{receiver.url}?secret={SECRET}", json=[order_event()]).status_code == 401


def test_event_without_organization_is_that_of_its_secret(receiver: RunningReceiver, query: Query) -> None:
    assert (
        receiver.post(
            {"eventType": "DeliveryOrderUpdate", "eventInfo": {"id": ORDER, "status": "OnWay"}}, SECRET
        ).status_code
        == 200
    )

    assert query("select organization_id::text, kind from sync.signal") == [(ONE, "order_open")]


def test_log_of_the_receiver_names_nobody(receiver: RunningReceiver) -> None:
    receiver.post([order_event()], SECRET)
    receiver.post([order_event()], "wrong-secret-of-a-stranger-0000")
    receiver.post(balance_notification(password="x" * 30))

    log = receiver.log.read_text()
    for value in (SECRET, "wrong-secret", PHONE, CUSTOMER, "anary", ORDER):
        assert value not in log


UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /events?secret=canary-in-an-address HTTP/1.1\r\nHost: receiver\r\n" + UPGRADE + b"\r\n",
        b"POST /events?secret=canary-in-an-address HTTP/1.1\r\nHost: receiver\r\nContent-Length: none\r\n\r\n",
    ],
    ids=["a WebSocket", "no HTTP"],
)
def test_what_a_stranger_sends_adds_nothing_to_the_log(receiver: RunningReceiver, request_bytes: bytes) -> None:
    def logged() -> list[str]:
        return [line for line in receiver.log.read_text().splitlines() if "Signals since the start" not in line]

    before = logged()
    host, _, port = receiver.url.split("/")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stranger:
        stranger.sendall(request_bytes)
        assert stranger.recv(100).startswith(b"HTTP/1.1 4")
    assert receiver.post([order_event()]).status_code == 401

    assert logged() == before


def test_receiver_reads_no_signal_and_no_table_else(receiver_dsn: str, with_secrets: Warehouse) -> None:
    for statement in (
        "select * from sync.signal",
        "update sync.signal set phone = null",
        "delete from sync.signal",
        "insert into sync.signal (received_at) values (now())",
        "insert into sync.signal_secret (organization_id, secret_hash) values (gen_random_uuid(), sha256('a'))",
        "select * from sync.roster",
        "select * from syrve.customer",
    ):
        with (
            closing(psycopg2.connect(receiver_dsn)) as connection,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_health_says_whether_the_warehouse_answers(receiver: RunningReceiver) -> None:
    assert receiver.client.get(receiver.url.replace("/events", "/health")).json() == {"status": "ok"}
