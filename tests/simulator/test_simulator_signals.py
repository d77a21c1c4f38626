"""What the simulator sends of its own accord, and how its fault script loses, repeats, delays and reorders that."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e_support import wait_until
from fixtures.channels import Webhook, open_webhook
from simulator.conftest import Api
from syrve_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=10, organizations=1, seed=4, dialect="cloud") as simulator:
        yield simulator


class Sending:
    """An organization whose webhooks go to a server that keeps them."""

    def __init__(self, running: SimulatorProcess, hook: Webhook) -> None:
        self.control = running.control
        self.hook = hook
        self.control.clear_faults()
        (organization,) = self.control.organizations()
        self.organization_id = organization["organization_id"]
        self.url = f"http://127.0.0.1:{hook.port}/hook"
        api = Api(running.url)
        api.token = api.post("access_token", {"apiLogin": "demo-login"}).json()["token"]
        settings: dict[str, Any] = {
            "organizationId": self.organization_id,
            "webHooksUri": self.url,
            "authToken": "x" * 30,
        }
        settings["webHooksFilter"] = {"deliveryOrderFilter": {"orderStatuses": ["Unconfirmed", "OnWay", "Closed"]}}
        assert api.post("webhooks/update_settings", settings).status_code == 200

    def place(self, number: int, **order: Any) -> dict[str, Any]:
        return self.control.put_order(self.organization_id, number=number, **order)

    def events(self) -> list[Any]:
        posted: list[Any] = list(self.hook.taken)
        return [event for taken in posted if isinstance(taken, list) for event in taken]

    def numbers(self) -> list[int]:
        return [int(event["eventInfo"]["order"]["number"]) for event in self.events()]

    def wait(self, count: int) -> list[int]:
        """Return the numbers of the orders that were told of, once there are so many and no more wait."""
        wait_until(lambda: len(self.numbers()) >= count and self.control.signals()["waiting"] == 0, "they have come")
        return self.numbers()

    def fault(self, fault: str, **more: Any) -> None:
        self.control.set_faults([{"operation": "webhook", "fault": fault, "count": 1, **more}])


@pytest.fixture
def sending(running: SimulatorProcess) -> Iterator[Sending]:
    with open_webhook() as hook:
        found = Sending(running, hook)
        yield found
        running.control.send_no_signals(found.organization_id)


def test_order_in_a_wanted_state_is_told_and_others_are_not(sending: Sending) -> None:
    order = sending.place(1)
    for status in ("WaitCooking", "Closed"):
        sending.place(1, order_id=order["id"], status=status)

    assert sending.wait(2) == [1, 1]
    statuses = [event["eventInfo"]["order"]["status"] for event in sending.events()]
    assert statuses == ["Unconfirmed", "Closed"]


def test_lost_webhook_never_comes_and_the_next_does(sending: Sending) -> None:
    before = sending.control.signals()["lost"]
    sending.fault("lose")
    for number in (1, 2):
        sending.place(number)

    assert sending.wait(1) == [2]
    assert sending.control.signals()["lost"] == before + 1


def test_repeated_webhook_comes_so_many_times_more(sending: Sending) -> None:
    sending.fault("repeat", times=3)
    sending.place(1)

    assert sending.wait(4) == [1] * 4
    bodies = sending.hook.taken
    assert all(each == bodies[0] for each in bodies), "the very same event"


def test_delayed_webhook_comes_after_later_ones(sending: Sending) -> None:
    sending.fault("delay", delay_seconds=1)
    for number in (1, 2, 3):
        sending.place(number)

    assert sending.wait(3) == [2, 3, 1]


def test_reordered_webhook_comes_after_the_next(sending: Sending) -> None:
    sending.fault("reorder")
    for number in (1, 2, 3):
        sending.place(number)

    assert sending.wait(3) == [2, 1, 3]


def test_webhook_that_was_not_taken_is_sent_again(sending: Sending) -> None:
    sending.hook.status = 503
    sending.place(1)
    wait_until(lambda: sending.control.signals()["waiting"] == 1, "it is under way")
    sending.hook.status = 200

    assert sending.wait(1) == [1]


def test_closing_an_order_tells_of_its_balance(sending: Sending) -> None:
    sending.control.subscribe(sending.organization_id, sending.url, "password-of-the-subscription")
    customer = next(
        each for each in sending.control.customers_page(sending.organization_id, limit=10) if each["wallets"]
    )
    wallet_id = customer["wallets"][0]["id"]
    sending.control.change_customer(sending.organization_id, customer["customer_id"], balances={wallet_id: "100.00"})
    sending.place(
        1, customer_id=customer["customer_id"], status="Closed", sum="90", from_wallet="30", wallet_id=wallet_id
    )

    wait_until(lambda: len(sending.hook.taken) >= 2, "both have come")
    (notification,) = (each for each in sending.hook.taken if isinstance(each, dict))
    assert (notification["walletId"], notification["balance"]) == (wallet_id, 70)
    assert notification["subscriptionPassword"] == "password-of-the-subscription"
