"""One simulator for the folder, put back in order before each test; customers stay changed, so each test uses its own."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from syrve_simulator.control import CustomerState
from syrve_simulator.process import SimulatorProcess, start_simulator


class Api:
    """Calls the simulated service as a client would."""

    def __init__(self, url: str, segment: str = "iiko") -> None:
        self.url = url
        self.segment = segment
        self._session = requests.Session()
        self._session.trust_env = False
        self.token: str | None = None

    def post(self, path: str, body: Any, *, token: str | None = None, **options: Any) -> requests.Response:
        """POST to a path below /api/1, with the token unless it is the token call."""
        headers = {"Authorization": f"Bearer {token or self.token}"} if token or self.token else {}
        if not isinstance(body, bytes):
            options["json"] = body
        else:
            options["data"] = body
        return self._session.post(f"{self.url}/api/1/{path}", headers=headers, **({"timeout": 10} | options))

    def loyalty(self, path: str, organization_id: str, **body: Any) -> requests.Response:
        """POST to a loyalty path."""
        return self.post(f"loyalty/{self.segment}/{path}", {"organizationId": organization_id, **body})

    def money(
        self, path: str, organization_id: str, state: CustomerState, sum_: Any, *, timeout: float = 10, **body: Any
    ) -> requests.Response:
        """POST to a wallet path for a customer's first wallet."""
        whose = {
            "organizationId": organization_id,
            "customerId": state["customer_id"],
            "walletId": state["wallets"][0]["id"],
            "sum": sum_,
        }
        return self.post(f"loyalty/{self.segment}/customer/wallet/{path}", whose | body, timeout=timeout)

    def info(self, organization_id: str, *, timeout: float = 10, **lookup: Any) -> requests.Response:
        """Look a customer up by phone=, id= or cardTrack=."""
        (field,) = lookup
        kind = "card" if field == "cardTrack" else field
        body = {"organizationId": organization_id, "type": kind, **lookup}
        return self.post(f"loyalty/{self.segment}/customer/info", body, timeout=timeout)

    def sign_in(self, api_login: str = "demo-login") -> str:
        """Get a token and use it from now on."""
        self.token = self.post("access_token", {"apiLogin": api_login}).json()["token"]
        return self.token


class RawConnection:
    """A socket, for what a well-behaved client hides."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def read_until_closed(self) -> bytes:
        """Read until the peer closes; a reset raises ConnectionResetError."""
        received = b""
        while chunk := self.socket.recv(65536):
            received += chunk
        return received

    def read_answers(self, count: int) -> list[tuple[int, bytes]]:
        """Read that many complete answers: (status, body) each."""
        answers: list[tuple[int, bytes]] = []
        buffer = b""
        while len(answers) < count:
            head, separator, rest = buffer.partition(b"\r\n\r\n")
            length = int(head.rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]) if separator else 0
            if separator and len(rest) >= length:
                answers.append((int(head.split(b" ", 2)[1]), rest[:length]))
                buffer = rest[length:]
                continue
            chunk = self.socket.recv(65536)
            if not chunk:
                raise AssertionError(f"closed after {len(answers)} of {count} answers")
            buffer += chunk
        return answers


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=200, seed=7) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def shared_cloud() -> Iterator[SimulatorProcess]:
    with start_simulator(dialect="cloud", customers=200, seed=7, record_requests=True) as simulator:
        yield simulator


def put_in_order(simulator: SimulatorProcess) -> SimulatorProcess:
    control = simulator.control
    control.clear_faults()
    control.clear_raw_answers()
    control.reset_switches()
    control.reset_clock()
    control.reset_calls()
    return simulator


@pytest.fixture
def simulator(shared_simulator: SimulatorProcess) -> SimulatorProcess:
    return put_in_order(shared_simulator)


@pytest.fixture
def cloud(shared_cloud: SimulatorProcess) -> SimulatorProcess:
    """A simulator that speaks the cloud dialect."""
    return put_in_order(shared_cloud)


@pytest.fixture
def cloud_api(cloud: SimulatorProcess) -> Api:
    return signed_in(cloud)


@pytest.fixture(params=["reference", "cloud"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect in turn, for what both have in common."""
    return str(request.param)


@pytest.fixture
def either(dialect: str, request: pytest.FixtureRequest) -> SimulatorProcess:
    """A simulator of the dialect in turn."""
    shared: SimulatorProcess = request.getfixturevalue("shared_cloud" if dialect == "cloud" else "shared_simulator")
    return put_in_order(shared)


@pytest.fixture
def either_api(either: SimulatorProcess) -> Api:
    return signed_in(either)


def signed_in(simulator: SimulatorProcess) -> Api:
    client = Api(simulator.url)
    client.sign_in()
    simulator.control.reset_calls()
    return client


@pytest.fixture
def api(simulator: SimulatorProcess) -> Api:
    return signed_in(simulator)


@pytest.fixture
def make_api() -> Callable[..., Api]:
    return Api


@pytest.fixture
def organization_id(shared_simulator: SimulatorProcess) -> str:
    """The first organization: the same in both dialects, as the seed is."""
    return shared_simulator.control.organizations()[0]["organization_id"]


@pytest.fixture
def new_customer(either: SimulatorProcess, either_api: Api, organization_id: str) -> Callable[..., CustomerState]:
    """Makes a customer with a phone of their own and so much in their one wallet."""
    return lambda balance="0", **fields: make_customer(either, either_api, organization_id, balance, **fields)


@pytest.fixture
def new_cloud_customer(cloud: SimulatorProcess, cloud_api: Api, organization_id: str) -> Callable[..., CustomerState]:
    return lambda balance="0", **fields: make_customer(cloud, cloud_api, organization_id, balance, **fields)


_PHONES = itertools.count(79_994_000_000)


def make_customer(
    simulator: SimulatorProcess, api: Api, organization_id: str, balance: str, **fields: Any
) -> CustomerState:
    body = {"phone": f"+{next(_PHONES)}"} | fields
    answer = api.loyalty("customer/create_or_update", organization_id, **body)
    assert answer.status_code == 200, answer.text
    customer_id = answer.json()["id"]
    state = simulator.control.change_customer(organization_id, customer_id)
    wallet_id = state["wallets"][0]["id"]
    state = simulator.control.change_customer(organization_id, customer_id, balances={wallet_id: balance})
    simulator.control.reset_calls()
    return state


@pytest.fixture
def connect(simulator: SimulatorProcess) -> Iterator[Callable[[], RawConnection]]:
    opened: list[RawConnection] = []

    def open_one() -> RawConnection:
        opened.append(RawConnection(simulator.url))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.socket.close()


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.01)

    return wait
