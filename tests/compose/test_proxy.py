"""The shipped TLS proxy, run by a real nginx: log-in attempts are limited, and tasks' own API is closed."""

import shutil
import socket
import ssl
import string
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack.cli import REPOSITORY
from e2e_support import wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed on this machine")


class Upstream(BaseHTTPRequestHandler):
    """Stands for the api-server: answers 200 with the address and the id of the request that the proxy reports."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['X-Forwarded-For']} {self.headers['X-Request-Id']}".encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def proxy_url(tmp_path: Path) -> Iterator[str]:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    certificate = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt"), "-days", "1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *certificate]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    values = {
        "AIRFLOW_HOST": "localhost",
        "AIRFLOW_UPSTREAM": f"127.0.0.1:{upstream.server_address[1]}",
        "HTTPS_PORT": f"127.0.0.1:{port}",
        "TLS_DIR": str(tmp_path),
    }
    template = (REPOSITORY / "docker" / "nginx.conf.template").read_text()
    site = string.Template(template).safe_substitute(values)
    main = f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;\nevents {{}}\n"
    temporary = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(f"{main}http {{ access_log off; {temporary}\n{site}\n}}\n")
    assert NGINX is not None
    server = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        wait_until(lambda: is_listening(port), "nginx listens", timeout_seconds=20)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)
        upstream.shutdown()
        upstream.server_close()


def status_of(url: str, method: str, headers: dict[str, str] | None = None) -> int:
    trusting = ssl._create_unverified_context()
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusting) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/token", "/auth/token/cli"])
def test_proxy_limits_log_in_attempts(proxy_url: str, path: str) -> None:
    answers = Counter(
        status_of(proxy_url + path, "POST", {"X-Forwarded-For": f"203.0.113.{each}"}) for each in range(20)
    )

    assert answers == {200: 6, 429: 14}, "one at once and a burst of five, whatever address the client claims"


def test_proxy_passes_no_request_id_of_a_client_on(proxy_url: str) -> None:
    request = urllib.request.Request(f"{proxy_url}/syrve", headers={"X-Request-Id": "+79757770003"})
    with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
        address, request_id = answer.read().decode().split()

    assert (address, len(request_id)) == ("127.0.0.1", 32)
    assert int(request_id, 16), "made by the proxy"


def test_proxy_limits_no_reader_of_pages(proxy_url: str) -> None:
    assert {status_of(f"{proxy_url}/auth/login/", "GET") for _ in range(20)} == {200}
    assert {status_of(f"{proxy_url}/api/v2/dags", "POST") for _ in range(20)} == {200}


def test_proxy_hides_the_api_of_tasks(proxy_url: str) -> None:
    assert status_of(f"{proxy_url}/execution/health", "GET") == 404


def test_one_address_keeps_at_most_a_hundred_requests_under_way(proxy_url: str) -> None:
    trusting = ssl._create_unverified_context()
    port = int(proxy_url.rpartition(":")[2])
    with ExitStack() as slow:
        for _ in range(100):
            plain = slow.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection = slow.enter_context(trusting.wrap_socket(plain, server_hostname="localhost"))
            connection.sendall(b"POST /syrve/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        wait_until(
            lambda: status_of(f"{proxy_url}/api/v2/dags", "GET") == 429,
            "further requests are refused",
            timeout_seconds=20,
        )
    wait_until(lambda: status_of(f"{proxy_url}/api/v2/dags", "GET") == 200, "they are taken again", timeout_seconds=20)
