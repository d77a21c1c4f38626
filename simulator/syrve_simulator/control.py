"""A typed client of the control path, for tests, the demo and benchmarks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, NamedTuple, Self, TypedDict

import requests

PAGE = 5000
_TIMEOUT_SECONDS = 60


class SimulatorRefusedError(Exception):
    """The simulator refused a control request; its text says why."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(f"{status}: {explanation}")
        self.status = status


class OperationCalls(TypedDict):
    """Counts of one operation; `statuses` by status as text, `faults` by kind."""

    received: int
    statuses: dict[str, int]
    faults: dict[str, int]


class Calls(TypedDict):
    """Counts by operation name, and how many calls came in all."""

    operations: dict[str, OperationCalls]
    received: int


class LookupCount(TypedDict):
    """How often one identity got its real answer; `type` is phone, id or card."""

    organization_id: str
    type: str
    value: str
    count: int


class WalletState(TypedDict):
    """A wallet's balance as exact text."""

    id: str
    balance: str


class CustomerState(TypedDict):
    """Who a customer is and what they own now."""

    organization_id: str
    customer_id: str
    phone: str | None
    card_tracks: list[str]
    wallets: list[WalletState]


class OrganizationState(TypedDict):
    """An organization and how many customers it knows."""

    organization_id: str
    name: str
    customers: int


class CouponState(TypedDict):
    """A coupon to ask for."""

    number: str
    series_id: str
    is_used: bool
    not_after: str | None


class RuleState(TypedDict):
    """A fault rule as given, the calls that reached it and the times it fired."""

    rule: dict[str, Any]
    matched: int
    fired: int


class Switches(TypedDict):
    """The switches as they stand."""

    removed_rights: list[str]
    organizations_without_loyalty: list[str]
    token_lifetime_seconds: float
    latency_ms: float


class RawAnswer(NamedTuple):
    """An answer to send byte for byte to whoever asks for `value` (a phone, id or track as it is sent, or a coupon number)."""

    organization_id: str
    value: str
    body: bytes
    status: int = 200
    operation: str = "customer_info"


class SimulatorControl:
    """Turns and reads a running simulator. Every method raises SimulatorRefusedError, or a requests error when it is not there."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = requests.Session()
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

    def set_switches(
        self,
        *,
        removed_rights: Sequence[str] | None = None,
        organizations_without_loyalty: Sequence[str] | None = None,
        token_lifetime_seconds: float | None = None,
        latency_ms: float | None = None,
    ) -> Switches:
        """Change the switches that are given, leave the others, and return all."""
        given = {
            "removed_rights": None if removed_rights is None else list(removed_rights),
            "organizations_without_loyalty": (
                None if organizations_without_loyalty is None else list(organizations_without_loyalty)
            ),
            "token_lifetime_seconds": token_lifetime_seconds,
            "latency_ms": latency_ms,
        }
        switches: Switches = self._ask("PUT", "switches", {k: v for k, v in given.items() if v is not None})
        return switches

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
        """Answer everybody truly again."""
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
        """Add a customer given as `customer/info` answers one; phone, id and cards can be looked up from then on."""
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

    def put_coupon_series(self, organization_id: str, series: Sequence[Mapping[str, object]]) -> None:
        """Make these, given as the items of the answer, all the coupon series of an organization."""
        self._ask("PUT", f"coupon_series/{organization_id}", list(series))

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
