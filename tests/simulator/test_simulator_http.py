"""HTTP/1.1 as any client may speak it."""

import json
from typing import Any

import pytest


def post(path: Any, body: Any = b"{}", *headers: Any) -> Any:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def token_request(*headers: Any) -> Any:
    return post("/api/1/access_token", b'{"apiLogin":"demo-login"}', *headers)


def test_connection_is_kept_for_the_next_request(connect: Any) -> None:
    connection = connect()
    for _ in range(3):
        connection.send(token_request())
        assert connection.read_answers(1)[0][0] == 200


def test_pipelined_requests_are_answered_in_order(connect: Any) -> None:
    connection = connect()
    connection.send(token_request() + post("/nowhere") + token_request() + post("/api/1/organizations"))

    assert [status for status, _ in connection.read_answers(4)] == [200, 404, 200, 401]


def test_hundreds_of_pipelined_requests_are_answered_in_order_behind_a_slow_one(simulator: Any, connect: Any) -> None:
    simulator.control.set_faults([{"operation": "access_token", "fault": "stall", "stall_seconds": 0.2, "count": 1}])
    connection = connect()

    connection.send(token_request() + b"".join(post("/nowhere") for _ in range(500)))

    assert [status for status, _ in connection.read_answers(501)] == [200] + [404] * 500
    connection.send(token_request())
    assert connection.read_answers(1)[0][0] == 200


def test_chunked_body_is_read(connect: Any) -> None:
    connection = connect()
    connection.send(
        b"POST /api/1/access_token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'c\r\n{"apiLogin":\r\nd\r\n"demo-login"}\r\n0\r\n\r\n'
    )

    assert connection.read_answers(1)[0][0] == 200


def test_request_may_come_byte_by_byte(connect: Any) -> None:
    connection = connect()
    for byte in token_request():
        connection.send(bytes([byte]))

    assert connection.read_answers(1)[0][0] == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        token_request("Connection: close"),
        token_request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_connection_is_closed_when_the_client_says_so(connect: Any, request_bytes: Any) -> None:
    connection = connect()
    connection.send(request_bytes)

    answer = connection.read_until_closed()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_400_and_closed(connect: Any, garbage: Any) -> None:
    connection = connect()
    connection.send(garbage)

    assert connection.read_until_closed().startswith(b"HTTP/1.1 400 ")


def send_until_refused(connection: Any, chunks: Any) -> Any:
    """Return the refusal, empty when the connection ended before it could be read; a TimeoutError if nothing is refused."""
    try:
        for chunk in chunks:
            connection.send(chunk)
        return connection.read_until_closed()
    except ConnectionError:
        return b""


def test_endless_headers_are_refused_and_the_connection_ends(connect: Any) -> None:
    fillers = [b"X-Filler: " + b"x" * 10_000 + b"\r\n"] * 100

    assert send_until_refused(connect(), [b"POST / HTTP/1.1\r\n", *fillers])[:13] in {b"", b"HTTP/1.1 431 "}


def test_endless_body_is_refused_and_the_connection_ends(connect: Any) -> None:
    head = b"POST /api/1/access_token HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"

    assert send_until_refused(connect(), [head, *[b"x" * (1 << 20)] * 80])[:13] in {b"", b"HTTP/1.1 413 "}


def test_client_that_leaves_in_the_middle_of_a_request_hurts_nobody(connect: Any) -> None:
    leaver = connect()
    leaver.send(token_request()[:40])
    leaver.socket.close()
    other = connect()

    other.send(token_request())

    assert other.read_answers(1)[0][0] == 200


def test_control_and_api_share_a_connection(connect: Any) -> None:
    connection = connect()
    connection.send(b"GET /_control/health HTTP/1.1\r\nHost: a\r\n\r\n" + token_request())

    health, token = connection.read_answers(2)
    assert json.loads(health[1])["status"] == "ok"
    assert "token" in json.loads(token[1])
