"""Each fault as a raw client sees it, whether it was applied, and what is counted."""

import json
import threading
import time
from typing import Any

import pytest
import requests


def request_bytes(path: Any, body: Any, token: Any = "") -> Any:
    content = json.dumps(body).encode()
    head = (
        f"POST /api/1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def create_request(api: Any, organization_id: Any, phone: Any) -> Any:
    body = {"organizationId": organization_id, "phone": phone}
    return request_bytes("loyalty/iiko/customer/create_or_update", body, api.token)


def test_status_answers_the_status_without_applying(simulator: Any, api: Any, organization_id: Any) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "fault": "status", "status": 503, "count": 1}])

    answer = api.loyalty("customer/create_or_update", organization_id, phone="+79992220001")

    assert answer.status_code == 503
    assert set(answer.json()) == {"correlationId", "errorDescription", "error"}
    assert api.info(organization_id, phone="+79992220001").status_code == 400


def test_status_can_come_after_applying(simulator: Any, api: Any, organization_id: Any) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "fault": "status", "count": 1, "applied": True}])

    assert api.loyalty("customer/create_or_update", organization_id, phone="+79992220002").status_code == 500
    assert api.info(organization_id, phone="+79992220002").status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"), [("plain text", b"plain text"), ({"errorCode": "X"}, b'{"errorCode":"X"}'), ("", b"")]
)
def test_status_can_bring_a_body(simulator: Any, api: Any, body: Any, expected: Any) -> None:
    simulator.control.set_faults([{"operation": "organizations", "fault": "status", "status": 200, "body": body}])

    answer = api.post("organizations", {})

    assert (answer.status_code, answer.content) == (200, expected)


@pytest.mark.parametrize(("retry_after_seconds", "header"), [(7, "7"), (0, "0"), (None, None)])
def test_rate_limit_is_429_with_or_without_retry_after(
    simulator: Any, api: Any, retry_after_seconds: Any, header: Any
) -> None:
    simulator.control.set_faults(
        [{"operation": "organizations", "fault": "rate_limit", "retry_after_seconds": retry_after_seconds}]
    )

    answer = api.post("organizations", {})

    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == header


def test_rate_limit_asks_for_one_second_unless_told_otherwise(simulator: Any, api: Any) -> None:
    simulator.control.set_faults([{"operation": "organizations", "fault": "rate_limit"}])

    assert api.post("organizations", {}).headers["Retry-After"] == "1"


def test_reset_before_resets_the_connection_and_applies_nothing(
    simulator: Any, api: Any, organization_id: Any, connect: Any
) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "fault": "reset_before", "count": 1}])
    connection = connect()

    connection.send(create_request(api, organization_id, "+79992220003"))

    with pytest.raises(ConnectionResetError):
        connection.read_until_closed()
    assert api.info(organization_id, phone="+79992220003").status_code == 400


def test_reset_after_resets_the_connection_and_has_applied(
    simulator: Any, api: Any, organization_id: Any, connect: Any
) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "fault": "reset_after", "count": 1}])
    connection = connect()

    connection.send(create_request(api, organization_id, "+79992220004"))

    with pytest.raises(ConnectionResetError):
        connection.read_until_closed()
    assert api.info(organization_id, phone="+79992220004").status_code == 200


def test_truncate_announces_more_than_it_sends_and_closes(simulator: Any, api: Any, connect: Any) -> None:
    simulator.control.set_faults([{"operation": "organizations", "fault": "truncate", "count": 1}])
    connection = connect()

    connection.send(request_bytes("organizations", {}, api.token))

    head, _, body = connection.read_until_closed().partition(b"\r\n\r\n")
    announced = int(head.rpartition(b"Content-Length: ")[2])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert 0 < len(body) < announced


def test_not_json_is_200_with_a_web_page(simulator: Any, api: Any, organization_id: Any) -> None:
    simulator.control.set_faults([{"operation": "create_or_update", "fault": "not_json", "count": 1}])

    answer = api.loyalty("customer/create_or_update", organization_id, phone="+79992220005")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert api.info(organization_id, phone="+79992220005").status_code == 400


def test_stall_holds_one_answer_back_and_blocks_nobody_else(
    simulator: Any, api: Any, organization_id: Any, connect: Any, wait_for: Any
) -> None:
    simulator.control.set_faults(
        [{"operation": "create_or_update", "fault": "stall", "stall_seconds": 0.5, "count": 1}]
    )
    stalled = connect()
    started = time.monotonic()
    stalled.send(create_request(api, organization_id, "+79992220006"))

    # applied at once, and answered for everybody else
    wait_for(lambda: "create_or_update" in simulator.control.calls()["operations"])
    assert api.info(organization_id, phone="+79992220006").status_code == 200
    assert time.monotonic() - started < 0.5
    assert stalled.read_answers(1)[0][0] == 200
    assert time.monotonic() - started >= 0.5


def test_client_that_gave_up_on_a_stalled_call_gets_no_look_up_counted(
    simulator: Any, api: Any, make_api: Any, organization_id: Any
) -> None:
    gone, patient = (one["phone"] for one in simulator.control.customers_page(organization_id, limit=2))
    simulator.control.set_faults([{"operation": "customer_info", "fault": "stall", "stall_seconds": 0.4, "count": 2}])
    impatient = make_api(simulator.url)
    impatient.token = api.token

    with pytest.raises(requests.ReadTimeout):
        impatient.info(organization_id, phone=gone, timeout=0.1)
    api.info(organization_id, phone=patient)  # stalled later, so the first one's time is up as well

    assert [one["value"] for one in simulator.control.lookups()] == [patient]
    assert simulator.control.calls()["operations"]["customer_info"] == {
        "received": 2,
        "statuses": {"200": 1},
        "faults": {"stall": 2},
    }


def test_count_and_after_bound_a_rule(simulator: Any, api: Any) -> None:
    simulator.control.set_faults([{"operation": "organizations", "fault": "status", "after": 2, "count": 2}])

    assert [api.post("organizations", {}).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]
    assert [(one["matched"], one["fired"]) for one in simulator.control.faults()] == [(6, 2)]


def test_first_rule_that_fires_wins_and_the_next_does_not_count_the_call(simulator: Any, api: Any) -> None:
    simulator.control.set_faults(
        [
            {"operation": "organizations", "fault": "status", "status": 502, "count": 1},
            {"operation": "*", "fault": "status", "status": 503, "count": 1},
        ]
    )

    assert [api.post("organizations", {}).status_code for _ in range(3)] == [502, 503, 200]
    assert [one["matched"] for one in simulator.control.faults()] == [3, 2]


def test_rule_for_every_operation_strikes_the_token_call_too(simulator: Any, make_api: Any) -> None:
    simulator.control.set_faults([{"operation": "*", "fault": "status", "status": 500}])

    assert make_api(simulator.url).post("access_token", {"apiLogin": "demo-login"}).status_code == 500


def test_chance_is_the_same_each_time_the_script_is_put_in_force(simulator: Any, api: Any) -> None:
    def outcomes() -> Any:
        simulator.control.set_faults([{"operation": "organizations", "fault": "status", "probability": 0.4}])
        return [api.post("organizations", {}).status_code for _ in range(60)]

    first = outcomes()

    assert {200, 500} == set(first)
    assert outcomes() == first


def test_faults_and_statuses_are_counted_by_operation(simulator: Any, api: Any) -> None:
    simulator.control.set_faults(
        [
            {"operation": "organizations", "fault": "status", "count": 2},
            {"operation": "organizations", "fault": "rate_limit", "count": 1},
            {"operation": "organizations", "fault": "reset_before", "count": 1},
        ]
    )
    for _ in range(3):
        api.post("organizations", {})
    with pytest.raises(requests.ConnectionError):
        api.post("organizations", {})
    api.post("organizations", {})

    assert simulator.control.calls() == {
        "operations": {
            "organizations": {
                "received": 5,
                "statuses": {"200": 1, "429": 1, "500": 2},
                "faults": {"rate_limit": 1, "reset_before": 1, "status": 2},
            }
        },
        "received": 5,
    }


@pytest.mark.parametrize("fault", ["status", "rate_limit", "reset_before", "reset_after", "truncate", "not_json"])
def test_look_up_that_met_a_fault_is_not_counted_as_answered(
    simulator: Any, api: Any, organization_id: Any, fault: Any
) -> None:
    phone = simulator.control.customers_page(organization_id, limit=1)[0]["phone"]
    simulator.control.set_faults([{"operation": "customer_info", "fault": fault, "count": 1}])

    for _ in range(2):
        try:
            api.info(organization_id, phone=phone)
        except requests.RequestException:
            continue

    assert [(one["value"], one["count"]) for one in simulator.control.lookups()] == [(phone, 1)]


def test_latency_delays_every_answer_side_by_side(simulator: Any, api: Any, make_api: Any) -> None:
    simulator.control.set_switches(latency_ms=300)
    clients = [make_api(simulator.url) for _ in range(8)]
    threads = [threading.Thread(target=client.post, args=("organizations", {})) for client in clients]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 0.3 <= time.monotonic() - started < 8 * 0.3


def test_cleared_faults_end_the_outage(simulator: Any, api: Any) -> None:
    simulator.control.set_faults([{"operation": "*", "fault": "status"}])
    assert api.post("organizations", {}).status_code == 500

    simulator.control.clear_faults()

    assert api.post("organizations", {}).status_code == 200
    assert simulator.control.faults() == []
