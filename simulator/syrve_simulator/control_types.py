"""What the control path answers, as types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


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
    is_deleted: bool


class RuleState(TypedDict):
    """A fault rule as given, the calls that reached it and the times it fired."""

    rule: dict[str, Any]
    matched: int
    fired: int


class HoldRecord(TypedDict):
    """A hold; `sum` is exact text, times are ISO text in UTC, `ended_at` is None while it is open."""

    transaction_id: str
    organization_id: str
    customer_id: str
    wallet_id: str
    sum: str
    comment: str | None
    state: Literal["open", "cancelled", "expired", "consumed"]
    created_at: str
    ended_at: str | None


class TransactionRecord(TypedDict):
    """A transaction; sums and balances are exact text (the sum signed), `created_at` is ISO text in UTC."""

    transaction_id: str
    revision: int
    organization_id: str
    customer_id: str
    wallet_id: str
    type: int
    type_name: str
    sum: str
    balance_before: str
    balance_after: str
    comment: str | None
    api_client_login: str | None
    created_at: str


class TillReport(TypedDict):
    """What a till did, as it tells it: `at` by its own clock, and the hold or the transactions that came of it."""

    at: str
    hold: HoldRecord
    transactions: list[TransactionRecord]


class RecordedRequest(TypedDict):
    """A request as it came; `body` is its JSON or, where it was none, None; `number` counts all of them.

    `received_at` is ISO text in UTC, `fault` the kind that it met, `status` that of the answer (None after a reset).
    """

    number: int
    operation: str
    path: str
    body: Any
    received_at: str
    fault: str | None
    status: int | None


class ClockState(TypedDict):
    """The simulated time (ISO text in UTC), how far it is from the machine's, and whether it waits to be set again."""

    now: str
    ahead_seconds: float
    stands_still: bool


class Switches(TypedDict, total=False):
    """The switches; docs/simulator.md says what each one means."""

    removed_rights: Sequence[str]
    organizations_without_loyalty: Sequence[str]
    token_lifetime_seconds: float
    new_token_voids_former: bool
    latency_ms: float
    balance_shows_held_money: bool
    hold_lifetime_seconds: float | None
    second_cancel: Literal["error", "ok"]
    consumed_cancel: Literal["error", "ok"]
    repeated_hold_id: Literal["error", "same_answer", "second_hold"]
    hold_transaction_type: int | None
    hold_id_is_transaction_id: bool
    transaction_sums: Literal["signed", "absolute"]
    transactions_order: Literal["ascending", "descending", "none"]
    transaction_delay_seconds: float
    max_page_size: int | None
    new_customer_unknown_seconds: float
    deleted_customer: Literal["error", "is_deleted"]
    delete_unknown: Literal["counted", "error"]
    unknown_coupon: Literal["empty", "null", "error"]
    accepts_surname: bool
    accepts_text_sex: bool
    accepts_bare_date: bool
    one_loyalty_network: bool
    look_ups_find_nobody: bool
    second_writer: Mapping[str, str | bool | None] | None
    till_answer: Literal["consumes", "refuses"]
    till_refunds: Literal["never", "once", "twice"]
    till_clock_off_seconds: float
    bonus_share: float
