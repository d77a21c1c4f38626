"""Requests as no client library writes them, from outside and from a neighbour: byte by byte over a socket to a running receiver."""

import gzip
import json
import re
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from signals.conftest import SECRETS, RunningReceiver
from signals.shapes import ONE, ORDER, TWO, new_id, order_event

Query = Callable[..., list[tuple[Any, ...]]]
SECRET = SECRETS[ONE]
WRONG = "wrong-secret-of-a-stranger-0000"
PIECE = b"a" * 65_536
MOST_PIECES = 2_000
"""Of a stream without an end; 130 MB."""


def connected(receiver: RunningReceiver) -> socket.socket:
    host, _, port = receiver.url.split("/")[2].partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def body_of(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode()


def request(
    body: bytes, secret: str | None = SECRET, *fields: str, path: str = "/events", length: bool = True
) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: receiver", *fields]
    head += [f"Authorization: {secret}"] if secret else []
    head += [f"Content-Length: {len(body)}"] if length else []
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def answers(receiver: RunningReceiver, sent: bytes) -> list[int]:
    """The statuses of what is answered to these bytes until the sender's end."""
    received = b""
    with connected(receiver) as sender:
        with suppress(ConnectionError):
            sender.sendall(sent)
        with suppress(ConnectionError):
            while piece := sender.recv(65_536):
                received += piece
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


def last(*fields: str) -> bytes:
    """A request after whose answer the receiver closes."""
    return request(body_of(order_event(event_type="Last")), SECRET, "Connection: close", *fields)


def kept(query: Query) -> int:
    return int(query("select count(*) from sync.signal")[0][0])


def test_pipelined_requests_are_each_answered_and_kept(receiver: RunningReceiver, query: Query) -> None:
    bodies = [body_of(order_event(status=each)) for each in ("New", "Bill")]

    assert answers(receiver, b"".join(map(request, bodies)) + last()) == [200, 200, 200]

    assert kept(query) == 3


def test_pipelined_request_without_proof_ends_the_connection(receiver: RunningReceiver, query: Query) -> None:
    good, bad = request(body_of(order_event())), request(body_of(order_event(status="Bill")), WRONG)

    assert answers(receiver, good + bad + last()) == [200, 401]

    assert kept(query) == 1


SMUGGLED = body_of(order_event())


@pytest.mark.parametrize(
    "sent",
    [
        request(SMUGGLED, SECRET, "Transfer-Encoding: chunked"),
        request(SMUGGLED, SECRET, "Content-Length: 5"),
        request(SMUGGLED, SECRET, "Content-Length: +5", length=False),
        request(SMUGGLED, SECRET, "Transfer-Encoding: chunked, identity", length=False),
        request(SMUGGLED, SECRET, "Transfer-Encoding : chunked"),
        request(SMUGGLED, f"{SECRET}\nX: y"),
        request(SMUGGLED).replace(b"HTTP/1.1", b"HTTP/9.9"),
        request(SMUGGLED, SECRET, "Connection: close").replace(b"/events", b"*", 1),
        request(SMUGGLED, SECRET, "Connection: close").replace(b"POST", b"CONNECT", 1),
        request(SMUGGLED).replace(b"/events", "/событие".encode(), 1),
    ],
    ids=["both", "two lengths", "signed", "not chunked last", "space", "bare LF", "version", "star", "CONNECT", "path"],
)
def test_request_that_two_readers_read_apart_is_refused(receiver: RunningReceiver, query: Query, sent: bytes) -> None:
    assert set(answers(receiver, sent)) <= {400, 404, 405}

    assert kept(query) == 0
    assert receiver.post([order_event()], SECRET).status_code == 200


@pytest.mark.parametrize(
    ("other", "status"), [(WRONG, 401), (SECRETS[TWO], 401), (SECRET, 200), (f"Bearer {SECRET}", 200), ("", 200)]
)
def test_two_secrets_in_one_head_prove_nothing(receiver: RunningReceiver, other: str, status: int) -> None:
    for fields in (("Connection: close", f"Authorization: {other}"), (f"authorization: {other}", "Connection: close")):
        assert answers(receiver, request(body_of(order_event()), SECRET, *fields)) == [status]


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 415), (WRONG, 401), (None, 401)])
@pytest.mark.parametrize("packing", ["gzip", "GZIP", "br", "deflate, gzip"])
def test_packed_body_is_not_unpacked(
    receiver: RunningReceiver, query: Query, packing: str, secret: str | None, status: int
) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")

    assert answers(receiver, request(bomb, secret, f"Content-Encoding: {packing}", "Connection: close")) == [status]

    assert kept(query) == 0


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=koi8-r", "\x7f"],
)
def test_type_of_a_body_is_what_it_holds(receiver: RunningReceiver, query: Query, content_type: str | None) -> None:
    fields = [f"Content-Type: {content_type}"] if content_type else []

    status = answers(receiver, request(body_of(order_event()), SECRET, *fields, "Connection: close"))

    assert status == ([400] if content_type == "\x7f" else [200])
    assert kept(query) == (status == [200])


def test_events_in_a_form_are_refused(receiver: RunningReceiver) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="events"\r\n\r\n' + body_of(order_event()) + b"\r\n--x--\r\n"
    fields = ("Content-Type: multipart/form-data; boundary=x", "Connection: close")

    assert answers(receiver, request(form, SECRET, *fields)) == [400]


@pytest.mark.parametrize("written", ["organizationId", "organization\\u0049d", "\\u006frganizationId"])
def test_key_given_twice_is_refused_however_it_is_written(
    receiver: RunningReceiver, query: Query, written: str
) -> None:
    event = json.dumps(order_event())
    twice = f'[{event[:-1]}, "{written}": "{TWO}"}}]'.encode()

    assert receiver.post(twice, SECRET).status_code == 400
    assert kept(query) == 0


def test_address_with_a_slash_leads_nowhere_else(receiver: RunningReceiver) -> None:
    assert receiver.client.post(f"{receiver.url}/", json=[order_event()]).status_code == 401
    answer = receiver.client.post(f"{receiver.url}/", json=[order_event()], headers={"Authorization": SECRET})
    assert answer.status_code == 200


def test_replay_in_other_words_is_the_same_signal(receiver: RunningReceiver, query: Query) -> None:
    event = order_event()
    again = dict(reversed(list(event.items()))) | {"correlationId": new_id()}

    assert receiver.post([event, again], SECRET).status_code == 200
    assert receiver.post(json.dumps(again, indent=8).encode("utf-16"), SECRET).status_code == 200

    assert kept(query) == 1


def test_neighbour_that_names_another_is_kept_as_itself_only(receiver: RunningReceiver, query: Query) -> None:
    inside = order_event()
    inside["eventInfo"]["organizationId"] = TWO
    assert receiver.post([inside], SECRET).status_code == 200
    outside = order_event(TWO)
    outside["eventInfo"]["organizationId"] = ONE
    assert receiver.post([outside], SECRET).status_code == 200
    named = [order_event(status="Bill"), order_event(TWO, status="Bill")]
    assert receiver.post(named, SECRET).status_code == 401

    assert query("select distinct organization_id::text, order_id::text from sync.signal") == [(ONE, ORDER)]


def pieces_until_the_end(receiver: RunningReceiver, head: bytes, piece: bytes) -> int:
    """Send a stream that has no end; return how many pieces of it left until the receiver closed."""
    sent = 0
    with closing(connected(receiver)) as sender, suppress(ConnectionError):
        sender.sendall(head)
        while sent < MOST_PIECES:
            sender.sendall(piece)
            sent += 1
    return sent


CHUNKED = request(b"", None, "Transfer-Encoding: chunked", length=False)
ELSEWHERE = request(b"", None, "Transfer-Encoding: chunked", length=False, path="/nothing")
FIELDS = b"".join(b"X-%d: y\r\n" % number for number in range(6_000))


@pytest.mark.parametrize("proof", [b"", f"Authorization: {SECRET}\r\n".encode()], ids=["stranger", "proven"])
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (CHUNKED + b"2\r\n[]\r\n0\r\n", FIELDS),
        (CHUNKED + b"2\r\n[]\r\n0\r\nX: ", PIECE),
        (CHUNKED + b"1;x=", PIECE),
        (CHUNKED, (b"1;" + PIECE[:200] + b"\r\na\r\n") * 300),
        (ELSEWHERE + b"0\r\n", FIELDS),
        (ELSEWHERE, b"10000\r\n" + PIECE + b"\r\n"),
        (request(PIECE, None, f"Content-Length: {10**12}", length=False, path="/nothing"), PIECE),
        (b"", b"\r\n" * 30_000),
    ],
    ids=[
        "fields",
        "field",
        "extension",
        "extensions",
        "fields elsewhere",
        "chunks elsewhere",
        "body elsewhere",
        "lines",
    ],
)
def test_stream_without_an_end_is_ended(receiver: RunningReceiver, head: bytes, piece: bytes, proof: bytes) -> None:
    host = b"Host: receiver\r\n"

    assert pieces_until_the_end(receiver, head.replace(host, host + proof, 1), piece) < MOST_PIECES
    assert receiver.client.get(receiver.url.replace("/events", "/health")).status_code == 200
