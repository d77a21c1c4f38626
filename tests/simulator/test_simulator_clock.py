"""The simulated time: months pass when the control path says so, and the book tells when things happened."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syrve_simulator.control import CustomerState, SimulatorControl, SimulatorRefusedError
from syrve_simulator.process import SimulatorProcess

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOLD_LIFETIME = timedelta(hours=2)


@pytest.fixture
def control(cloud: SimulatorProcess) -> SimulatorControl:
    return cloud.control


@pytest.fixture
def set_aside(cloud_api: Any, new_cloud_customer: Callable[..., CustomerState]) -> Callable[[], tuple[str, str]]:
    """Holds a little of a new customer's money; gives the organization's id and the hold's."""

    def hold() -> tuple[str, str]:
        customer = new_cloud_customer("10")
        organization_id = customer["organization_id"]
        return organization_id, cloud_api.money("hold", organization_id, customer, 1).json()["transactionId"]

    return hold


def hold_of(control: SimulatorControl, hold_id: str) -> dict[str, object]:
    (hold,) = [each for each in control.holds() if each["transaction_id"] == hold_id]
    return dict(hold)


def at(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def test_money_moves_at_the_simulated_time(control: SimulatorControl, set_aside: Callable[[], tuple[str, str]]) -> None:
    control.set_clock(START)

    organization_id, hold_id = set_aside()
    control.set_clock(START + timedelta(days=40))
    control.consume_hold(organization_id, hold_id)

    hold = hold_of(control, hold_id)
    assert START <= at(hold["created_at"]) < START + timedelta(minutes=1)
    assert timedelta(days=40) <= at(hold["ended_at"]) - START < timedelta(days=40, minutes=1)
    assert at(control.transactions()[-1]["created_at"]) == at(hold["ended_at"])


def test_hold_ends_at_its_own_time_however_far_the_clock_jumps(
    control: SimulatorControl, set_aside: Callable[[], tuple[str, str]]
) -> None:
    control.set_switches(hold_lifetime_seconds=HOLD_LIFETIME.total_seconds())
    control.set_clock(START)
    _, hold_id = set_aside()
    assert hold_of(control, hold_id)["ended_at"] is None

    control.set_clock(START + timedelta(days=30))

    hold = hold_of(control, hold_id)
    assert hold["state"] == "expired"
    assert abs(at(hold["ended_at"]) - at(hold["created_at"]) - HOLD_LIFETIME) <= timedelta(milliseconds=1)
    assert at(control.transactions()[-1]["created_at"]) == at(hold["ended_at"])


def test_clock_that_stands_still_gives_all_the_same_time(
    control: SimulatorControl, set_aside: Callable[[], tuple[str, str]]
) -> None:
    control.set_clock(START, stands_still=True)

    holds = [hold_of(control, set_aside()[1]) for _ in range(2)]

    assert [at(hold["created_at"]) for hold in holds] == [START, START]
    assert control.clock()["stands_still"]


def test_clock_goes_by_the_machine_again(control: SimulatorControl) -> None:
    control.set_clock(START)
    assert control.clock()["ahead_seconds"] < 0
    control.set_clock(START, stands_still=True)

    control.reset_clock()

    assert (control.clock()["ahead_seconds"], control.clock()["stands_still"]) == (0, False)
    assert abs(at(control.clock()["now"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_moment_without_an_offset_is_refused(control: SimulatorControl) -> None:
    with pytest.raises(SimulatorRefusedError, match="now"):
        control.set_clock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is wrong with it


def test_tokens_outlive_a_jump_of_the_clock(control: SimulatorControl, cloud_api: Any) -> None:
    control.set_clock(START + timedelta(days=3650))

    assert cloud_api.post("organizations", {}).status_code == 200


def test_recorded_request_tells_when_it_came_and_how_it_was_answered(
    control: SimulatorControl, cloud_api: Any, set_aside: Callable[[], tuple[str, str]]
) -> None:
    control.set_clock(START)
    set_aside()
    control.set_faults([{"operation": "organizations", "fault": "status", "status": 503}])
    cloud_api.post("organizations", {})

    (held,) = control.recorded_requests("wallet_hold")
    (failed,) = control.recorded_requests("organizations")

    assert START <= at(held["received_at"]) < START + timedelta(minutes=1)
    assert (held["fault"], held["status"]) == (None, 200)
    assert (failed["fault"], failed["status"]) == ("status", 503)
