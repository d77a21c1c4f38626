"""The simulator without a socket answers as the server does, rude endings included."""

from typing import Any

import pytest
import requests

from syrve_simulator.in_process import InProcessSimulator
from syrve_simulator.options import Options
from syrve_simulator.process import SimulatorProcess


@pytest.fixture
def simulator() -> InProcessSimulator:
    return InProcessSimulator(Options(customers=200, seed=7))


@pytest.fixture
def session(simulator: InProcessSimulator) -> requests.Session:
    session = requests.Session()
    simulator.reach(session)
    token = session.post(f"{simulator.url}/api/1/access_token", json={"apiLogin": "demo-login"}).json()["token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def organizations(simulator: InProcessSimulator, session: requests.Session, **options: Any) -> requests.Response:
    return session.post(f"{simulator.url}/api/1/organizations", json={}, **options)


def test_answers_are_those_of_the_server(
    simulator: InProcessSimulator, session: requests.Session, shared_simulator: SimulatorProcess
) -> None:
    answered = {each["id"] for each in organizations(simulator, session).json()["organizations"]}

    assert answered == {each["organization_id"] for each in shared_simulator.control.organizations()}
    assert simulator.control.calls()["operations"]["organizations"]["statuses"] == {"200": 1}


def test_two_simulators_do_not_share_anything(simulator: InProcessSimulator, session: requests.Session) -> None:
    other = InProcessSimulator(Options(customers=200, seed=7))

    organizations(simulator, session)

    assert "organizations" not in other.control.calls()["operations"]


def test_reset_truncation_and_stall_reach_the_client_as_they_would_over_a_socket(
    simulator: InProcessSimulator, session: requests.Session
) -> None:
    faults: list[dict[str, object]] = [
        {"fault": "reset_after"},
        {"fault": "truncate"},
        {"fault": "stall", "stall_seconds": 30},
    ]
    simulator.control.set_faults([{"operation": "organizations", "count": 1} | fault for fault in faults])

    with pytest.raises(requests.ConnectionError):
        organizations(simulator, session)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        organizations(simulator, session)
    with pytest.raises(requests.ReadTimeout):
        organizations(simulator, session, timeout=5)

    assert organizations(simulator, session).status_code == 200
    assert simulator.control.calls()["operations"]["organizations"]["received"] == 4


def test_refusal_for_rate_says_when_to_come_back(simulator: InProcessSimulator, session: requests.Session) -> None:
    simulator.control.set_faults([{"operation": "*", "fault": "rate_limit", "retry_after_seconds": 7}])

    refused = organizations(simulator, session)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")


def test_bearer_is_looked_at(simulator: InProcessSimulator, session: requests.Session) -> None:
    session.headers["Authorization"] = "Bearer of nothing"

    assert organizations(simulator, session).status_code == 401
