"""A site's part in the demo: it takes two payments as many do, and leaves guests' money set aside; then the findings, and their release."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from devstack.counts import Warehouse
from devstack.errors import StackError
from devstack.syrve import SignedIn, signed_in
from syrve_simulator.control import CustomerState, HoldRecord

AMOUNT = Decimal("5.00")
PAYMENT_AGE = timedelta(hours=3)
"""How long ago the payments were, by the site's records: a younger hold may belong to an order under way."""
RELEASE_ALL = "Release all"
COLUMNS = (
    "record",
    "occurred_at",
    "organization_id",
    "hold_id",
    "customer_id",
    "wallet_id",
    "amount",
    "order_id",
    "state",
    "key",
)
FINDINGS = """
    select rule, severity, amount_at_risk, status from wallet.finding
    where organization_id = any(%s::uuid[]) order by rule
"""


@dataclass(frozen=True)
class Payment:
    """One payment by the site: its hold is still open, for any outcome of the order."""

    title: str
    organization_id: str
    customer_id: str
    wallet_id: str
    order_id: str
    hold_id: str
    is_charged: bool
    rule: str


@dataclass(frozen=True)
class FindingRow:
    """What reconciliation says of a payment."""

    rule: str
    severity: str
    amount_at_risk: Decimal
    status: str


def take_payments(base_url: str, api_login: str, customers: Iterable[CustomerState]) -> list[Payment]:
    """Hold and charge at Syrve as the site does: one order is charged beside its hold, one fails and its hold is forgotten."""
    able = (each for each in customers if each["wallets"] and Decimal(each["wallets"][0]["balance"]) >= 3 * AMOUNT)
    charged, failed = next(able), next(able)
    with signed_in(base_url, api_login) as syrve:
        return [
            _pay(syrve, "charged, its hold kept", charged, "demo-1", "charged_hold_open", is_charged=True),
            _pay(syrve, "order failed, hold kept", failed, "demo-2", "order_failed_hold_open", is_charged=False),
        ]


def write_records(path: Path, payments: Iterable[Payment]) -> None:
    """Write the site's records as the import takes them."""
    began = datetime.now(UTC) - PAYMENT_AGE
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for payment in payments:
            money = {
                "organization_id": payment.organization_id,
                "customer_id": payment.customer_id,
                "wallet_id": payment.wallet_id,
                "amount": AMOUNT,
                "order_id": payment.order_id,
            }
            order = {"record": "order", "organization_id": payment.organization_id, "order_id": payment.order_id}
            ended = began + timedelta(minutes=5)
            writer.writerow(money | {"record": "hold", "occurred_at": began.isoformat(), "hold_id": payment.hold_id})
            writer.writerow(order | {"state": "open", "occurred_at": began.isoformat()})
            state = "completed" if payment.is_charged else "failed"
            writer.writerow(order | {"state": state, "occurred_at": ended.isoformat()})
            if payment.is_charged:
                charge = {"record": "chargeoff", "occurred_at": ended.isoformat(), "key": payment.order_id}
                writer.writerow(money | charge)


def read_findings(warehouse: Warehouse, payments: Iterable[Payment]) -> list[FindingRow]:
    """Read the findings of the payments' organizations."""
    with warehouse.cursor() as cursor:
        cursor.execute(FINDINGS, ([each.organization_id for each in payments],))
        return [FindingRow(*row) for row in cursor.fetchall()]


def check_findings(found: Iterable[FindingRow], payments: Iterable[Payment], status: str) -> None:
    """Raise StackError unless each payment is flagged by its rule with its amount, in this status, and nothing else is."""
    found_rows = sorted((each.rule, each.amount_at_risk, each.status) for each in found)
    wanted = sorted((each.rule, AMOUNT, status) for each in payments)
    if found_rows != wanted:
        raise StackError(f"Reconciliation said {found_rows}, where {wanted} was to come")


def check_holds(holds: Iterable[HoldRecord], payments: Iterable[Payment]) -> None:
    """Raise StackError unless Syrve has cancelled the hold of each payment."""
    states = {each["transaction_id"]: each["state"] for each in holds}
    left = [each.title for each in payments if states.get(each.hold_id) != "cancelled"]
    if left:
        raise StackError(f"After the release Syrve still holds the money of: {', '.join(left)}")


def _pay(
    syrve: SignedIn, title: str, customer: CustomerState, order_id: str, rule: str, *, is_charged: bool
) -> Payment:
    wallet_id = customer["wallets"][0]["id"]
    money = {
        "organizationId": customer["organization_id"],
        "customerId": customer["customer_id"],
        "walletId": wallet_id,
        "sum": float(AMOUNT),
        "comment": f"Order {order_id}",
    }
    hold_id = syrve.ask("loyalty/iiko/customer/wallet/hold", money)["transactionId"]
    if is_charged:
        syrve.ask("loyalty/iiko/customer/wallet/chargeoff", money)
    return Payment(
        title, customer["organization_id"], customer["customer_id"], wallet_id, order_id, hold_id, is_charged, rule
    )
