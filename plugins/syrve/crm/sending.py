"""Sends one row of a plan, call by call: each call is noted before it is made and its outcome is written before anything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from syrve.api.answers import NOT_FOUND_CODES
from syrve.api.client import SyrveClient
from syrve.api.errors import (
    LoyaltyNotConfigured,
    MalformedAnswer,
    NotFound,
    Rejected,
    SyrveError,
    Transient,
    UnsupportedByDialect,
)
from syrve.api.models import Customer
from syrve.crm.changes import (
    MembershipStep,
    customer_change,
    field_keys,
    flag_text,
    membership_steps,
    widened_consents,
)
from syrve.crm.errors import NotYetKnown, PushIncomplete
from syrve.crm.ledger import Attempt, Outcome, PlannedRow, PushLedger
from syrve.crm.push_settings import PushSettings
from syrve.customers.phones import to_e164
from syrve.warehouse.runs import Counts

log = logging.getLogger(__name__)

T = TypeVar("T")
CARD_IS_GONE_CODES = frozenset({"Transport_WrongCarTrack", "Card_CanNotFindByTrack", "Transport_WrongCardNumber"})


class _MovedError(Exception):
    """The customer is not as planned: nothing is sent, and the next plan compares again."""


class Together:
    """What the workers of a task share: the word to stop, and how many customers in a row failed for any of them."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._failures = 0
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """Note that Syrve has answered for a customer."""
        with self._lock:
            self._failures = 0

    def failed(self) -> int:
        """Note a customer who failed and return how many did in a row."""
        with self._lock:
            self._failures += 1
            return self._failures


class RowSender:
    """Sends rows one after another and counts the outcomes; each thread has its own."""

    def __init__(
        self,
        client: SyrveClient,
        ledger: PushLedger,
        organization_id: str,
        settings: PushSettings,
        counts: Counts,
        together: Together,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._organization_id = organization_id
        self._settings = settings
        self._counts = counts
        self._together = together

    def push(self, crm_id: int) -> None:
        """Send a row, if it is still ours and as planned; raises `PushIncomplete` in an outage and what concerns all rows."""
        row = self._ledger.begin(crm_id)
        if row is None:
            return
        row = self._recover(row)
        self._counts.requested += 1
        if row.moved is not None:
            self._stale(crm_id, row.moved)
            return
        try:
            state = self._send(row)
        except _MovedError as moved:
            self._together.succeeded()
            self._ledger.ask_again(crm_id)
            self._stale(crm_id, str(moved))
        except LoyaltyNotConfigured:
            raise
        except (Rejected, MalformedAnswer, UnsupportedByDialect) as error:
            self._refused(crm_id, error)
        except Transient as error:
            self._failed(crm_id, error)
        else:
            self._together.succeeded()
            self._ledger.finish(crm_id, state)
            self._counts.changed += state == "pushed"
            self._counts.found += state == "linked"

    def _stale(self, crm_id: int, reason: str) -> None:
        self._counts.unchanged += 1
        self._ledger.finish(crm_id, "stale", reason=reason)

    def _recover(self, row: PlannedRow) -> PlannedRow:
        """Move the agreement by acknowledgements that a task which died had recorded and no more."""
        sent = self._ledger.acknowledged_steps(row.crm_id)
        steps = {0: field_keys(row.changes)} | {each.step: [each.key] for each in membership_steps(row.changes)}
        owed = [step for step in sorted(sent) if set(steps[step]) - set(row.acknowledged)]
        for step in owed:
            self._ledger.acknowledge(row.crm_id, steps[step], sent[step], is_new=row.action == "create" and step == 0)
        return (self._ledger.begin(row.crm_id) or row) if owed else row

    def _send(self, row: PlannedRow) -> str:
        keys = [key for key in field_keys(row.changes) if key not in row.acknowledged]
        customer_id = row.customer_id
        created = False
        if customer_id is None:
            found = self._look_for(row)
            if found is not None:
                self._ledger.link(row.crm_id, found)
                return "linked"
            customer_id, created = self._send_fields(row, keys), True
        else:
            if not self._is_as_planned(row, keys):
                return "linked"
            if keys:
                self._send_fields(row, keys)
        for membership in membership_steps(row.changes):
            if membership.key not in row.acknowledged:
                self._send_membership(row, membership, customer_id, just_created=created)
        return "pushed"

    def _is_as_planned(self, row: PlannedRow, keys: list[str]) -> bool:
        """Look the customer up where the mirror is not enough: before the first write to one linked by phone, and before a yes is sent.

        Return False once the row is linked to the other customer who has the phone; raise `_MovedError` if the customer is not as
        planned.
        """
        widened = widened_consents(row.changes, keys)
        if row.link_phone is None and not widened:
            return True
        kind, value = ("id", row.customer_id) if row.link_phone is None else ("phone", row.link_phone)
        assert value is not None
        customer = self._see(row, kind, value)
        if row.link_phone is not None:
            if customer is None:
                raise _MovedError("no customer has the phone any more by which the mirror linked the row")
            if customer.customer_id != row.customer_id:
                self._require_phone(customer, value)
                self._ledger.ask_again(row.crm_id)
                self._ledger.link(row.crm_id, customer.customer_id)
                return False
            self._ledger.confirm_link(row.crm_id)
        if customer is None:
            raise NotYetKnown("the customer may not be known yet", operation="customer_info")
        if customer.is_deleted:
            raise _MovedError("Syrve has deleted the customer since it was planned")
        if any(flag_text(getattr(customer, key)) != row.changes[key].get("expected") for key in widened):
            raise _MovedError("Syrve has changed the customer since it was planned")
        return True

    def _look_for(self, row: PlannedRow) -> str | None:
        """Look for a customer to be created, first under the phone of a creation whose answer was lost."""
        assert row.phone is not None
        if row.unsure_phone is not None and row.unsure_phone != row.phone:
            found = self._look_up(row, row.unsure_phone)
            if found is not None:
                return found
            if (row.unsure_seconds or 0.0) < self._settings.settle_seconds:
                raise NotYetKnown("a customer sent under another phone may not be known yet", operation="customer_info")
        return self._look_up(row, row.phone)

    def _look_up(self, row: PlannedRow, phone: str) -> str | None:
        customer = self._see(row, "phone", phone)
        if customer is None:
            return None
        self._require_phone(customer, phone)
        return customer.customer_id

    def _require_phone(self, customer: Customer, phone: str) -> None:
        """Raise `MalformedAnswer` if a look-up under a phone gives a customer with another: that does not say whose the phone is."""
        if to_e164(customer.phone or "", self._client.config.default_region) != phone:
            raise MalformedAnswer(
                "the answer under a phone is about a customer with another phone: name the customer by id",
                operation="customer_info",
            )

    def _see(self, row: PlannedRow, kind: str, value: str) -> Customer | None:
        """Look a customer up now, by phone or id; None if Syrve knows no customer by it."""
        attempt = Attempt(0, "customer_info", (kind,))
        self._ledger.attempt(row.crm_id, attempt)
        by = self._client.customer_by_phone if kind == "phone" else self._client.customer_by_id

        def call() -> Customer | None:
            try:
                return by(self._organization_id, value)
            except NotFound:
                return None

        def outcome_of(customer: Customer | None) -> tuple[str, str | None]:
            return ("not_found", None) if customer is None else ("found", customer.customer_id)

        return self._carry_out(row, attempt, call, outcome_of=outcome_of)

    def _send_fields(self, row: PlannedRow, keys: list[str]) -> str:
        attempt = Attempt(0, "create_or_update", tuple(keys))
        change = customer_change(row.changes, keys, customer_id=row.customer_id, phone=row.phone)
        self._ledger.attempt(row.crm_id, attempt, new_phone=row.phone if row.customer_id is None else None)
        customer_id = self._carry_out(
            row,
            attempt,
            lambda: self._client.create_or_update(self._organization_id, change),
            outcome_of=lambda answered: ("acknowledged", row.customer_id or answered),
        )
        known = row.customer_id or customer_id
        self._ledger.acknowledge(row.crm_id, keys, known, is_new=row.customer_id is None)
        return known

    def _send_membership(
        self, row: PlannedRow, membership: MembershipStep, customer_id: str, *, just_created: bool
    ) -> None:
        attempt = Attempt(membership.step, membership.operation, (membership.kind,))
        self._ledger.attempt(row.crm_id, attempt)

        def call() -> str:
            try:
                self._change_membership(membership, customer_id)
            except Rejected as error:
                if membership.operation == "card_remove" and error.code in CARD_IS_GONE_CODES:
                    return customer_id  # a repeat of a removal whose answer was lost, or the till was faster
                if just_created and error.code in NOT_FOUND_CODES:
                    raise NotYetKnown(
                        "a customer just created may not be known yet", operation=error.operation, code=error.code
                    ) from None
                raise
            return customer_id

        self._carry_out(row, attempt, call, outcome_of=lambda known: ("acknowledged", known))
        self._ledger.acknowledge(row.crm_id, [membership.key], customer_id, is_new=just_created)

    def _change_membership(self, membership: MembershipStep, customer_id: str) -> None:
        client, where = self._client, (self._organization_id, customer_id, membership.member_id)
        match membership.operation:
            case "category_add":
                client.add_to_category(*where)
            case "category_remove":
                client.remove_from_category(*where)
            case "card_add":
                client.add_card(*where, membership.number or membership.member_id)
            case "card_remove":
                client.remove_card(*where)
            case "program_add":
                client.add_to_program(*where)
            case _:
                raise UnsupportedByDialect("Syrve offers no such change", operation=membership.operation)

    def _carry_out(
        self,
        row: PlannedRow,
        attempt: Attempt,
        call: Callable[[], T],
        *,
        outcome_of: Callable[[T], tuple[str, str | None]],
    ) -> T:
        """Make a call that has been noted, and write its outcome before anything else; a `SyrveError` goes on once it is written."""
        started = time.monotonic()
        try:
            value = call()
        except SyrveError as error:
            name = "refused" if isinstance(error, Rejected | MalformedAnswer | UnsupportedByDialect) else "failed"
            self._record(row, attempt, started, name, row.customer_id, error)
            raise
        self._record(row, attempt, started, *outcome_of(value), None)
        return value

    def _record(
        self,
        row: PlannedRow,
        attempt: Attempt,
        started: float,
        outcome: str,
        customer_id: str | None,
        error: SyrveError | None,
    ) -> None:
        stats = self._client.stats.take()
        self._counts.calls += stats.calls
        self._counts.retries += stats.retries
        self._counts.rate_limited += stats.rate_limited
        self._ledger.record(
            row.crm_id,
            attempt,
            Outcome(
                outcome,
                customer_id,
                requests=stats.calls,
                seconds=time.monotonic() - started,
                status=error.status if error else None,
                code=error.code if error else None,
                correlation_id=stats.correlation_id,
            ),
        )

    def _refused(self, crm_id: int, error: SyrveError) -> None:
        self._together.succeeded()
        self._counts.rejected += 1
        kind = error.code or type(error).__name__
        reason = f"{error.operation}: {error.message} ({kind})"
        times = self._ledger.finish(crm_id, "refused", reason=reason, refusal=f"{error.operation} {kind}")
        if isinstance(error, Rejected):
            self._ledger.ask_why(crm_id)
        if times >= self._settings.refusals_to_block:
            self._ledger.block(crm_id, operation=error.operation, code=error.code, reason=reason, times=times)
            log.warning(
                "crm_id %d was refused %d times the same way (%s, %s): it waits in crm.push_blocked until it changes or is released",
                crm_id,
                times,
                error.operation,
                kind,
            )

    def _failed(self, crm_id: int, error: Transient) -> None:
        self._counts.failed += 1
        self._ledger.finish(crm_id, "failed", reason=f"{error.operation}: {error.message}")
        if isinstance(error, NotYetKnown):
            return
        failures = self._together.failed()
        if failures >= self._settings.outage_failures:
            raise PushIncomplete(
                f"{failures} customers in a row could not be pushed; the rest of the plan is still open",
                operation=error.operation,
            )
