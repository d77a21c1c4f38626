"""A typed client of the control path, for tests, the demo and benchmarks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, NamedTuple, Self, Unpack

import requests

from syrve_simulator.control_types import (
    Calls,
    ClockState,
    CouponState,
    CustomerState,
    HoldRecord,
    LookupCount,
    OperationCalls,
    OrganizationState,
    RecordedRequest,
    RuleState,
    Switches,
    TillReport,
    TransactionRecord,
    WalletState,
)

__all__ = [
    "Calls",
    "ClockState",
    "CouponState",
    "CustomerState",
    "HoldRecord",
    "LookupCount",
    "OperationCalls",
    "OrganizationState",
    "RawAnswer",
    "RecordedRequest",
    "RuleState",
    "SimulatorControl",
    "SimulatorRefusedError",
    "Switches",
    "TransactionRecord",
    "WalletState",
]

PAGE = 5000
_TIMEOUT_SECONDS = 60


class SimulatorRefusedError(Exception):
    """The simulator refused a control request; its text says why."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(f"{status}: {explanation}")
        self.status = status


class RawAnswer(NamedTuple):
    """An answer to send byte for byte to each request for `value` (a phone, id or track as it is sent, or a coupon number)."""

    organization_id: str
    value: str
    body: bytes
    status: int = 200
    operation: str = "customer_info"


class SimulatorControl:
    """Turns and reads a running simulator. Every method raises SimulatorRefusedError, or a requests error when it is not there."""

    def __init__(self, base_url: str, session: requests.Session | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = session or requests.Session()
        self._session.trust_env = False  # a proxy has no business between this process and loopback

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def health(self) -> dict[str, Any]:
        """Return what runs: status, dialect, customers, organizations, seed, process_id, uptime_seconds."""
        health: dict[str, Any] = self._ask("GET", "health")
        return health

    def calls(self) -> Calls:
        """Return the counts of API calls since the start or the last reset."""
        counts: Calls = self._ask("GET", "calls")
        return counts

    def reset_calls(self) -> None:
        """Set the counts of calls and of look-ups to nothing."""
        self._ask("DELETE", "calls")

    def lookups(self) -> list[LookupCount]:
        """Return how often each identity was looked up and got its real answer.

        Raises RuntimeError when the log is off or was too small, because the counts would mislead.
        """
        answer = self._ask("GET", "lookups")
        if not answer["enabled"] or answer["not_recorded"]:
            raise RuntimeError("The look-up log is switched off, or met more identities than it keeps")
        counts: list[LookupCount] = answer["lookups"]
        return counts

    def recorded_requests(self, operation: str | None = None) -> list[RecordedRequest]:
        """Return the latest 1,000 requests of an operation, or of each, as they arrived; numbers with a fraction are floats.

        Raises RuntimeError when the simulator does not record them.
        """
        answer = self._ask("GET", "requests" if operation is None else f"requests?operation={operation}")
        if not answer["enabled"]:
            raise RuntimeError("Requests are not recorded; start the simulator with --record-requests")
        recorded: list[RecordedRequest] = answer["requests"]
        return recorded

    def faults(self) -> list[RuleState]:
        """Return the fault rules in force."""
        rules: list[RuleState] = self._ask("GET", "faults")["rules"]
        return rules

    def set_faults(self, rules: Sequence[Mapping[str, object]]) -> None:
        """Put a fault script in force instead of the present one; a wrong one changes nothing."""
        self._ask("PUT", "faults", list(rules))

    def clear_faults(self) -> None:
        """End the outage."""
        self._ask("DELETE", "faults")

    def switches(self) -> Switches:
        """Return the switches."""
        switches: Switches = self._ask("GET", "switches")
        return switches

    def set_switches(self, **switches: Unpack[Switches]) -> Switches:
        """Change the switches that are given, leave the others, and return all."""
        present: Switches = self._ask("PUT", "switches", switches)
        return present

    def reset_switches(self) -> Switches:
        """Put every switch back to where it stood at the start, and return all."""
        present: Switches = self._ask("DELETE", "switches")
        return present

    def clock(self) -> ClockState:
        """Return the simulated time."""
        state: ClockState = self._ask("GET", "clock")
        return state

    def set_clock(self, moment: datetime, *, stands_still: bool = False) -> ClockState:
        """Let money and new customers go on from that moment, which needs an offset from UTC, or stand still at it."""
        state: ClockState = self._ask("PUT", "clock", {"now": moment.isoformat(), "stands_still": stands_still})
        return state

    def reset_clock(self) -> ClockState:
        """Go by the machine's clock again."""
        state: ClockState = self._ask("DELETE", "clock")
        return state

    def expire_tokens(self) -> int:
        """Make every token unknown and return how many there were."""
        return int(self._ask("DELETE", "tokens")["expired"])

    def put_raw_answers(self, answers: Iterable[RawAnswer]) -> None:
        """Answer these identities with these very bytes."""
        items = [
            {
                "operation": one.operation,
                "organization_id": one.organization_id,
                "value": one.value,
                "status": one.status,
                "body_base64": base64.b64encode(one.body).decode(),
            }
            for one in answers
        ]
        self._ask("PUT", "raw_answers", items)

    def clear_raw_answers(self) -> None:
        """Answer all requests truly again."""
        self._ask("DELETE", "raw_answers")

    def organizations(self) -> list[OrganizationState]:
        """Return the organizations."""
        found: list[OrganizationState] = self._ask("GET", "organizations")["organizations"]
        return found

    def customers(self, organization_id: str) -> Iterator[CustomerState]:
        """Yield every customer of an organization, fetched page by page."""
        offset: int | None = 0
        while offset is not None:
            page = self._ask("GET", f"customers?organization_id={organization_id}&offset={offset}&limit={PAGE}")
            yield from page["customers"]
            offset = page["next_offset"]

    def customers_page(self, organization_id: str, *, offset: int = 0, limit: int = 1000) -> list[CustomerState]:
        """Return one page (at most 10,000) of an organization's customers."""
        path = f"customers?organization_id={organization_id}&offset={offset}&limit={limit}"
        page: list[CustomerState] = self._ask("GET", path)["customers"]
        return page

    def add_customer(self, organization_id: str, answer: Mapping[str, object]) -> CustomerState:
        """Add a customer given as `customer/info` answers one, with a new id if none is given; they can be looked up from then on."""
        state: CustomerState = self._ask("PUT", f"customers/{organization_id}", dict(answer))
        return state

    def change_customer(
        self,
        organization_id: str,
        customer_id: str,
        *,
        balances: Mapping[str, Decimal | str] | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> CustomerState:
        """Set balances (by wallet id, exact) and fields (as in the answer) of a customer."""
        change = {
            "wallets": {wallet_id: str(balance) for wallet_id, balance in (balances or {}).items()},
            "fields": dict(fields or {}),
        }
        state: CustomerState = self._ask("PATCH", f"customers/{organization_id}/{customer_id}", change)
        return state

    def remove_customer(self, organization_id: str, customer_id: str) -> None:
        """Make an organization forget a customer."""
        self._ask("DELETE", f"customers/{organization_id}/{customer_id}")

    def coupons(self, organization_id: str) -> list[CouponState]:
        """Return the coupons of an organization."""
        found: list[CouponState] = self._ask("GET", f"coupons?organization_id={organization_id}&limit={PAGE}")[
            "coupons"
        ]
        return found

    def put_coupons(self, organization_id: str, coupons: Sequence[Mapping[str, object]]) -> None:
        """Add coupons, or replace those of the same number and series.

        Each has `number` and `series_id`, and may have `is_used`, `is_deleted` and `not_after`.
        """
        self._ask("PUT", f"coupons/{organization_id}", list(coupons))

    def put_coupon_series(self, organization_id: str, series: Sequence[Mapping[str, object]]) -> None:
        """Make these, given as the items of the answer, all the coupon series of an organization."""
        self._ask("PUT", f"coupon_series/{organization_id}", list(series))

    def holds(
        self, *, state: str | None = None, organization_id: str | None = None, customer_id: str | None = None
    ) -> list[HoldRecord]:
        """Return every hold ever made, or those in a state, of an organization, of a customer."""
        given = {"state": state, "organization_id": organization_id, "customer_id": customer_id}
        found: list[HoldRecord] = self._all("holds", given)
        return found

    def consume_hold(self, organization_id: str, transaction_id: str) -> HoldRecord:
        """Let an order at the till consume an open hold."""
        hold: HoldRecord = self._ask("PATCH", f"holds/{organization_id}/{transaction_id}", {"state": "consumed"})
        return hold

    def refund_hold(self, organization_id: str, transaction_id: str) -> TillReport:
        """Let a till give back what it took from a hold, as often as the switch `till_refunds` says."""
        report: TillReport = self._ask("PUT", f"holds/{organization_id}/{transaction_id}/refund")
        return report

    def transactions(
        self, *, organization_id: str | None = None, customer_id: str | None = None
    ) -> list[TransactionRecord]:
        """Return every transaction by revision, or those of an organization, of a customer."""
        given = {"organization_id": organization_id, "customer_id": customer_id}
        found: list[TransactionRecord] = self._all("transactions", given)
        return found

    def add_transaction(
        self, organization_id: str, customer_id: str, wallet_id: str, sum_: Decimal | str, **details: object
    ) -> TransactionRecord:
        """Move a balance by a signed sum as something other than the API would.

        `details` are `type` (8, PayFromWallet), `type_name`, `comment`, `api_client_login`, `order_number` and `order_sum`.
        """
        body = {"customer_id": customer_id, "wallet_id": wallet_id, "sum": str(sum_)} | details
        made: TransactionRecord = self._ask("PUT", f"transactions/{organization_id}", body)
        return made

    def put_order(self, organization_id: str, **order: object) -> dict[str, Any]:
        """Place an order, or with a known `order_id` let it go on to `status`; returns it as the order methods do.

        `order` may have `status`, `kind` (delivery, table), `order_id`, `customer_id`, `phone`, `number`, `external_number`, `sum`,
        `from_wallet` and `wallet_id`: what closing it takes from which wallet.
        """
        made: dict[str, Any] = self._ask("PUT", f"orders/{organization_id}", order)
        return made

    def subscribe(self, organization_id: str, url: str, password: str | None = None) -> None:
        """Let the balance notifications of an organization be sent there."""
        self._ask("PUT", f"signals/{organization_id}", {"url": url, "password": password})

    def send_no_signals(self, organization_id: str) -> None:
        """Forget where notifications and webhooks of an organization go."""
        self._ask("DELETE", f"signals/{organization_id}")

    def signals(self) -> dict[str, int]:
        """Return how many signals were sent, taken, lost, repeated, delayed, given up, and how many wait."""
        counts: dict[str, int] = self._ask("GET", "signals")
        return counts

    def _all(self, name: str, given: Mapping[str, str | None]) -> Any:
        query = "".join(f"&{field}={value}" for field, value in given.items() if value is not None)
        found: list[Any] = []
        while True:
            page = self._ask("GET", f"{name}?offset={len(found)}&limit={PAGE}{query}")
            found += page[name]
            if len(found) >= page["total"] or not page[name]:
                return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        response = self._session.request(
            method,
            f"{self._base_url}/_control/{path}",
            data=None if body is None else json.dumps(body, default=_number).encode(),
            timeout=_TIMEOUT_SECONDS,
        )
        answer = response.json()
        if response.status_code != 200:
            raise SimulatorRefusedError(response.status_code, answer.get("error", ""))
        return answer


def _number(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)  # balances may be text on the control path: exact, unlike a float
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
