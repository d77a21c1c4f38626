"""Starting and stopping: the command line, and the helper that tests use."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from syrve_simulator.control import RawAnswer
from syrve_simulator.process import SimulatorFailedError, start_simulator


def run_simulator(*arguments: Any) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "syrve_simulator", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def lives(pid: Any) -> Any:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_help_explains_every_option() -> None:
    shown = run_simulator("--help").stdout

    for option in (
        "--host", "--port", "--port-file", "--dialect", "--customers", "--organizations", "--seed", "--faults", "--api-login",
        "--token-lifetime-seconds", "--latency-ms", "--no-lookup-log", "--stop-with-stdin", "--insecure-any-host",
        "--api-key", "--app-id", "--client-secret", "--record-requests",
    ):  # fmt: skip
        assert option in shown


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["--dialect", "klingon"], "invalid choice"),
        (["--host", "0.0.0.0"], "not a loopback address"),
        (["--host", "example.com"], "not a loopback address"),
        (["--customers", "-1"], "must be 0 to"),
        (["--customers", "99999999"], "must be 0 to"),
        (["--organizations", "0"], "must be 1 to"),
        (["--port", "70000"], "must be 0 to 65535"),
        (["--token-lifetime-seconds", "0"], "must be above 0"),
        (["--latency-ms", "-1"], "must be 0"),
        (["--faults", "no-such-file.json"], "no-such-file.json"),
    ],
)
def test_wrong_argument_is_refused_with_status_2_and_a_reason(arguments: Any, explanation: Any) -> None:
    ended = run_simulator("--port", "0", *arguments)

    assert ended.returncode == 2
    assert explanation in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_fault_script_is_refused_before_listening(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"operation": "customer_info", "fault": "stall", "stall_seconds": "long"}]')

    ended = run_simulator("--faults", str(script))

    assert ended.returncode == 2
    assert 'Rule 1 of the fault script, field "stall_seconds"' in ended.stderr


def test_busy_port_is_refused_with_status_1_and_a_way_out(shared_simulator: Any) -> None:
    port = shared_simulator.url.rpartition(":")[2]

    ended = run_simulator("--port", port)

    assert ended.returncode == 1
    assert "--port 0" in ended.stderr


def test_one_line_says_where_it_listens(shared_simulator: Any) -> None:
    assert shared_simulator.output == (
        f"Syrve simulator (reference): {shared_simulator.url}  organizations=2 customers=200 seed=7\n"
    )


def test_fault_script_of_the_command_line_is_in_force_from_the_first_call(make_api: Any) -> None:
    with start_simulator(
        customers=1, faults=[{"operation": "access_token", "fault": "status", "status": 503, "count": 1}]
    ) as simulator:
        api = make_api(simulator.url)

        assert api.post("access_token", {"apiLogin": "demo-login"}).status_code == 503
        assert api.post("access_token", {"apiLogin": "demo-login"}).status_code == 200


def test_other_login_organizations_and_no_lookup_log(make_api: Any) -> None:
    with start_simulator(customers=10, organizations=3, api_login="other", lookup_log=False) as simulator:
        api = make_api(simulator.url)
        assert api.post("access_token", {"apiLogin": "demo-login"}).status_code == 401
        api.sign_in("other")
        assert len(api.post("organizations", {}).json()["organizations"]) == 3
        with pytest.raises(RuntimeError, match="switched off"):
            simulator.control.lookups()


def test_application_of_the_command_line_is_the_one_that_gets_a_token(make_api: Any) -> None:
    with start_simulator(
        dialect="cloud", customers=1, api_key="k", app_id="AAAAAAAA-0000-4000-8000-000000000001", client_secret="s"
    ) as simulator:
        ours = {"apiKey": "k", "appId": "aaaaaaaa-0000-4000-8000-000000000001", "clientSecret": "s"}

        statuses = [
            requests.post(f"{simulator.url}/api/v2/access_token", json=body, timeout=5).status_code
            for body in (ours, ours | {"clientSecret": "demo-secret"})
        ]

        assert statuses == [200, 401]


def test_helper_says_why_a_simulator_did_not_start() -> None:
    with pytest.raises(SimulatorFailedError, match="invalid choice"):
        start_simulator(dialect="klingon")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly_though_calls_are_stalled(number: Any, make_api: Any) -> None:
    with start_simulator(
        customers=1, faults=[{"operation": "organizations", "fault": "stall", "stall_seconds": 3000}]
    ) as simulator:
        api = make_api(simulator.url)
        api.sign_in()
        host, _, port = simulator.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as stalled:
            stalled.sendall(
                b"POST /api/1/organizations HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nAuthorization: Bearer "
                + api.token.encode()
                + b"\r\n\r\n{}"
            )
            while simulator.control.calls()["operations"].get("organizations") is None:
                time.sleep(0.01)
            os.kill(simulator.pid, number)
            assert stalled.recv(1) == b""
        assert simulator.stop() == 0
        assert "Traceback" not in simulator.output


def test_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    with start_simulator(customers=50_000) as simulator:
        organization_id = simulator.control.organizations()[0]["organization_id"]
        host, _, port = simulator.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as deaf:
            path = f"/_control/customers?organization_id={organization_id}&limit=10000"
            deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 10)
            deaf.recv(1)
            started = time.monotonic()
            assert simulator.stop() == 0
            assert time.monotonic() - started < 8


def test_answer_that_is_being_read_arrives_whole_though_the_simulator_stops(make_api: Any) -> None:
    body = b"x" * 30_000_000  # more than the kernel takes off the simulator's hands
    with start_simulator(customers=1) as simulator:
        organization_id = simulator.control.organizations()[0]["organization_id"]
        simulator.control.put_raw_answers([RawAnswer(organization_id, "BIG", body, operation="coupon_info")])
        api = make_api(simulator.url)
        api.sign_in()
        asked = {"organizationId": organization_id, "number": "BIG"}
        with api.post("loyalty/iiko/coupons/info", asked, stream=True) as answer:
            os.kill(simulator.pid, signal.SIGTERM)
            assert answer.content == body


def test_stopped_simulator_is_gone() -> None:
    with start_simulator(customers=1) as simulator:
        pid = simulator.pid
        assert simulator.is_running
    assert not psutil.pid_exists(pid)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{simulator.url}/_control/health", timeout=5)


def test_killed_simulator_is_gone_too() -> None:
    with start_simulator(customers=1) as simulator:
        simulator.kill()
        assert not simulator.is_running


def test_simulator_ends_with_the_process_that_started_it(tmp_path: Path, wait_for: Any) -> None:
    starter = (
        "import os, signal\n"
        "from syrve_simulator.process import start_simulator\n"
        "simulator = start_simulator(customers=1)\n"
        "print(simulator.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True, timeout=30, check=False)

    pid = int(ended.stdout)
    try:
        wait_for(lambda: not lives(pid))
    finally:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def test_half_a_million_customers_cost_neither_time_nor_memory(make_api: Any) -> None:
    started = time.monotonic()
    with start_simulator(customers=500_000, organizations=5) as simulator:
        api = make_api(simulator.url)
        api.sign_in()
        organization_id = simulator.control.organizations()[4]["organization_id"]
        last = simulator.control.customers_page(organization_id, offset=99_000, limit=1)[0]
        assert api.info(organization_id, phone=last["phone"]).json()["id"] == last["customer_id"]
        assert psutil.Process(simulator.pid).memory_info().rss < 120 * 1024 * 1024
        assert time.monotonic() - started < 20
