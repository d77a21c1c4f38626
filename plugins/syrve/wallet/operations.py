"""What the ledger holds: one operation, checked and with a fingerprint, and its outcome."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid5

from syrve.identifiers import UUID_PATTERN
from syrve.values import storable_text
from syrve.wallet.errors import UnusableOperation

Kind = Literal["hold", "cancel_hold", "topup", "chargeoff"]
State = Literal["planned", "sent", "confirmed", "rejected", "unknown"]
Basis = Literal["answer", "report", "balance", "person"]
KINDS: tuple[Kind, ...] = ("hold", "cancel_hold", "topup", "chargeoff")
STATES: tuple[State, ...] = ("planned", "sent", "confirmed", "rejected", "unknown")

MAX_TEXT_LENGTH = 200
MAX_AMOUNT_DIGITS = 18
_UUID = re.compile(UUID_PATTERN, re.IGNORECASE)
_LIKE_A_PHONE = re.compile(r"\d(?:[\s().-]{0,2}\d){9,}")

NOTHING_MOVED_TRY_AGAIN = frozenset(
    {"not_sent", "rate_limited", "no_access", "not_carried_out", "cancel_is_unknown", "hold_end_is_contested"}
)
"""Reasons of a rejection after which another attempt may work: the call was not carried out."""
NEEDS_SOMEBODY = frozenset({"no_access", "not_carried_out"})
"""Those of them that last until a person changes something; `what_to_do` of the evidence says what."""

_OPERATION_IDS = UUID("5f4e51e0-0000-4000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Operation:
    """An intended money movement; `key` is the caller's, unique within `source`. `amount` is above zero, ids are uuid text."""

    kind: Kind
    organization_id: str
    source: str
    key: str
    customer_id: str | None = None
    wallet_id: str | None = None
    amount: Decimal | None = None
    order_id: str | None = None
    hold_id: str | None = None
    comment: str | None = None
    consumes_hold: bool = False
    requested_at: datetime | None = None
    operation_id: str | None = None
    payment_id: str | None = None
    refund_of: str | None = None

    @property
    def fingerprint(self) -> bytes:
        """Hash of the content, 16 bytes; equal amounts count as equal however many zeros they end in."""
        content = [
            self.kind,
            self.organization_id,
            self.customer_id,
            self.wallet_id,
            None if self.amount is None else format(self.amount.normalize(), "f"),
            self.order_id,
            self.hold_id,
            self.comment,
            self.consumes_hold,
            *([] if self.refund_of is None else [self.refund_of]),
        ]
        return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).digest()

    def checked(self, amount_scale: int | None) -> Operation:
        """Return the operation as it is; raise `UnusableOperation` that says what is wrong with it."""
        problem = self._problem(amount_scale)
        if problem is not None:
            raise UnusableOperation(f"{self.kind}: {problem}")
        return self

    def _problem(self, amount_scale: int | None) -> str | None:
        if self.kind not in KINDS:
            return f"the kind must be one of {', '.join(KINDS)}"
        for name in (
            "organization_id",
            "customer_id",
            "wallet_id",
            "hold_id",
            "operation_id",
            "payment_id",
            "refund_of",
        ):
            value = getattr(self, name)
            if value is not None and not is_uuid(value):
                return f"{name} is not a uuid"
        if (self.kind == "cancel_hold" or self.consumes_hold) and self.hold_id is None:
            return "hold_id is missing"
        if self.refund_of is not None and self.kind != "topup":
            return "only a top-up gives a charge back"
        if self.kind != "cancel_hold" and (self.customer_id is None or self.wallet_id is None or self.amount is None):
            return "customer_id, wallet_id and amount are needed"
        for name in ("source", "key"):
            if not getattr(self, name) or len(getattr(self, name)) > MAX_TEXT_LENGTH:
                return f"{name} must have 1 to {MAX_TEXT_LENGTH} characters"
        if self.order_id is not None and not 0 < len(self.order_id) <= MAX_TEXT_LENGTH:
            return f"order_id must have 1 to {MAX_TEXT_LENGTH} characters"
        texts = (self.source, self.key, self.order_id or "", self.comment or "")
        if any(storable_text(text) != text for text in texts):
            return "a text holds what Postgres can't"
        # A cancellation sends no amount: the hold's own, however many decimals it has, is only recorded.
        scale = None if self.kind == "cancel_hold" else amount_scale
        return amount_problem(self.amount, scale) or comment_problem(self.comment)


@dataclass(frozen=True, slots=True)
class OperationState:
    """An operation of the ledger with its last event; `state` is None if it has none."""

    operation_id: str
    kind: Kind
    organization_id: str
    customer_id: str | None
    wallet_id: str | None
    amount: Decimal | None
    order_id: str | None
    hold_id: str | None
    comment: str | None
    source: str
    consumes_hold: bool
    state: State | None
    sequence: int
    state_at: datetime | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    basis: Basis | None = None
    payment_id: str | None = None
    refund_of: str | None = None
    key: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the outcome is known."""
        return self.state in ("confirmed", "rejected")

    @property
    def is_by_balance(self) -> bool:
        """Whether the outcome is believed by balance only: it authorizes no further money call."""
        return self.basis == "balance"

    @property
    def may_be_tried_again(self) -> bool:
        """Whether the call was certainly not carried out, for a reason that may pass."""
        return self.state == "rejected" and self.evidence.get("reason") in NOTHING_MOVED_TRY_AGAIN

    @property
    def needs_somebody(self) -> bool:
        """Whether no money call can work until a person changes something."""
        return self.state == "rejected" and self.evidence.get("reason") in NEEDS_SOMEBODY

    @property
    def why_nothing_moved(self) -> str:
        """The reason of a rejection, with what to do about it where that is known."""
        return ": ".join(str(self.evidence[name]) for name in ("reason", "what_to_do") if self.evidence.get(name))


def imported_operation_id(source: str, key: str) -> str:
    """Return the id of what others did under a key: always the same, so that a refund can name a charge that is not imported yet."""
    return str(uuid5(_OPERATION_IDS, f"{source}\n{key}"))


def amount_problem(amount: Decimal | None, scale: int | None) -> str | None:
    """Say what is wrong with an amount: not above zero, or more decimals than the currency has (None: any)."""
    if amount is None:
        return None
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount <= 0:
        return "the amount must be a Decimal greater than zero"
    if amount.adjusted() >= MAX_AMOUNT_DIGITS or -int(amount.as_tuple().exponent) > MAX_AMOUNT_DIGITS:
        return f"the amount has more than {MAX_AMOUNT_DIGITS} digits before or after the point"
    decimals = -int(amount.normalize().as_tuple().exponent)
    if scale is not None and decimals > scale:
        return f"the amount has more than {scale} decimals"
    return None


def comment_problem(comment: str | None) -> str | None:
    """Say what is wrong with a comment: it goes to Syrve and into reports, so no phone and no e-mail address."""
    if comment is None:
        return None
    if len(comment) > MAX_TEXT_LENGTH:
        return f"the comment is longer than {MAX_TEXT_LENGTH} characters"
    if "@" in comment or _LIKE_A_PHONE.search(_UUID.sub("", comment)):
        return "the comment must hold no phone and no e-mail address"
    return None


def comment_with_marker(operation: OperationState) -> str:
    """Return the comment to send: the caller's, and the operation's id, by which the transactions report shows it."""
    return f"{operation.comment} #{operation.operation_id}" if operation.comment else f"#{operation.operation_id}"


def marked_operations(comment: str | None) -> list[str]:
    """Return the ids that a comment of the transactions report names."""
    return [found.lower() for found in _UUID.findall(comment or "")]


def is_uuid(text: str) -> bool:
    """Whether a text is a uuid as it is written here: lower case, with dashes."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
