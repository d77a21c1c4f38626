"""What tills, the loyalty programme and the service's front do of their own accord, by switches and faults."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from syrve_simulator.control import SimulatorRefusedError
from syrve_simulator.process import start_simulator

LOYALTY = "api/1/loyalty/iiko/customer"


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with start_simulator(customers=50, organizations=2, seed=3, record_requests=True) as simulator:
        yield simulator


class Guest:
    """One customer of the first organization, with 100 in the first wallet."""

    def __init__(self, running: Any) -> None:
        self.control, self.url = running.control, running.url
        self.control.reset_switches()
        self.control.clear_faults()
        organizations = self.control.organizations()
        self.home, self.other = [each["organization_id"] for each in organizations]
        (customer,) = self.control.customers_page(self.home, limit=1)
        self.customer_id, self.wallet_id = customer["customer_id"], customer["wallets"][0]["id"]
        self.control.change_customer(self.home, self.customer_id, balances={self.wallet_id: "100.00"})
        token = requests.post(f"{self.url}/api/1/access_token", json={"apiLogin": "demo-login"}, timeout=5).json()
        self.headers = {"Authorization": f"Bearer {token['token']}"}

    def call(self, path: Any, organization_id: Any = None, **body: Any) -> Any:
        whose = {"organizationId": organization_id or self.home, "customerId": self.customer_id}
        return requests.post(
            f"{self.url}/{LOYALTY}/{path}",
            json=whose | {"walletId": self.wallet_id} | body,
            headers=self.headers,
            timeout=5,
            allow_redirects=False,
        )

    def hold(self, amount: Any = 30, **body: Any) -> Any:
        return self.call("wallet/hold", sum=amount, **body).json()["transactionId"]

    @property
    def balance(self) -> Any:
        (customer,) = self.control.customers_page(self.home, limit=1)
        return Decimal(next(each["balance"] for each in customer["wallets"] if each["id"] == self.wallet_id))

    def movements(self) -> Any:
        found = self.control.transactions(customer_id=self.customer_id)
        return [(each["type_name"], each["sum"]) for each in found]


@pytest.fixture
def guest(running: Any) -> Any:
    return Guest(running)


def test_till_that_refuses_takes_nothing(guest: Any) -> None:
    hold_id = guest.hold()
    guest.control.set_switches(till_answer="refuses")

    with pytest.raises(SimulatorRefusedError, match="refuses to take"):
        guest.control.consume_hold(guest.home, hold_id)

    assert (guest.balance, guest.control.holds(state="open")[0]["transaction_id"]) == (Decimal("100.00"), hold_id)
    guest.call("wallet/cancel_hold", transactionId=hold_id)


@pytest.mark.parametrize(("times", "balance"), [("once", "100.00"), ("twice", "130.00")])
def test_till_refunds_as_often_as_the_switch_says(guest: Any, times: Any, balance: Any) -> None:
    hold_id = guest.hold()
    guest.control.consume_hold(guest.home, hold_id)
    guest.control.set_switches(till_refunds=times)

    report = guest.control.refund_hold(guest.home, hold_id)

    assert {each["sum"] for each in report["transactions"]} == {"30"}
    assert guest.balance == Decimal(balance)


@pytest.mark.parametrize("switch", ["never", "once"])
def test_till_gives_back_only_what_it_took(guest: Any, switch: Any) -> None:
    hold_id = guest.hold()
    guest.control.set_switches(till_refunds=switch)
    if switch == "never":
        guest.control.consume_hold(guest.home, hold_id)

    with pytest.raises(SimulatorRefusedError, match="gives nothing back"):
        guest.control.refund_hold(guest.home, hold_id)
    guest.call("wallet/cancel_hold", transactionId=hold_id)


def test_till_clock_dates_payments_and_refunds(guest: Any) -> None:
    guest.control.set_switches(till_clock_off_seconds=-300)
    hold_id = guest.hold()
    hold = guest.control.consume_hold(guest.home, hold_id)
    report = guest.control.refund_hold(guest.home, hold_id)

    *_, payment, refund = guest.control.transactions(customer_id=guest.customer_id)
    ended_at = datetime.fromisoformat(hold["ended_at"])
    behind = ended_at - datetime.fromisoformat(payment["created_at"])
    assert timedelta(seconds=299) < behind < timedelta(seconds=301)
    assert refund["created_at"] == report["transactions"][0]["created_at"]
    assert datetime.fromisoformat(report["at"]) < ended_at


def test_till_clock_is_off_by_five_minutes_at_most(guest: Any) -> None:
    with pytest.raises(SimulatorRefusedError, match="till_clock_off_seconds"):
        guest.control.set_switches(till_clock_off_seconds=301)


def test_bonus_comes_back_with_each_payment(guest: Any) -> None:
    guest.control.set_switches(bonus_share=1)

    guest.call("wallet/chargeoff", sum=40)

    assert guest.balance == Decimal("100.00")
    assert guest.movements()[-2:] == [("WithdrawWalletFromApi", "-40"), ("AutomaticRefillWallet", "40.00")]


def test_network_shares_money_between_organizations(guest: Any) -> None:
    guest.control.set_switches(one_loyalty_network=True)
    hold_id = guest.hold()

    assert guest.call("wallet/chargeoff", guest.other, sum=80).status_code == 400, "30 of the 100 are held"
    assert guest.call("wallet/chargeoff", guest.other, sum=20).status_code == 200
    guest.control.consume_hold(guest.other, hold_id)

    assert guest.balance == Decimal("50.00")
    assert guest.control.holds(organization_id=guest.home)[-1]["state"] == "consumed"


def test_organizations_share_no_money_without_a_network(guest: Any) -> None:
    hold_id = guest.hold()

    assert guest.call("wallet/cancel_hold", guest.other, transactionId=hold_id).status_code == 400
    guest.call("wallet/cancel_hold", transactionId=hold_id)


@pytest.mark.parametrize("status", [200, 302, 503])
def test_maintenance_page_carries_nothing_out(guest: Any, status: Any) -> None:
    guest.control.set_faults([{"operation": "wallet_chargeoff", "fault": "maintenance", "status": status, "count": 1}])

    answer = guest.call("wallet/chargeoff", sum=40)

    assert (answer.status_code, "Maintenance" in answer.text, guest.balance) == (status, True, Decimal("100.00"))


@pytest.mark.parametrize(("own_status", "applied"), [(400, False), (500, False), (504, True)])
def test_error_in_body_has_a_status_of_its_own(guest: Any, own_status: Any, applied: Any) -> None:
    fault = {"operation": "wallet_chargeoff", "fault": "error_in_body", "own_status": own_status, "applied": applied}
    guest.control.set_faults([fault | {"count": 1}])

    answer = guest.call("wallet/chargeoff", sum=40)

    assert (answer.status_code, answer.json()["httpStatusCode"]) == (200, own_status)
    assert guest.balance == Decimal("60.00" if applied else "100.00")


def test_refusal_in_body_cannot_have_been_applied(guest: Any) -> None:
    fault = {"operation": "wallet_chargeoff", "fault": "error_in_body", "own_status": 400, "applied": True}

    with pytest.raises(SimulatorRefusedError, match="cannot be applied"):
        guest.control.set_faults([fault])
