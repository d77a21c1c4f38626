"""What each rule about orders as a whole should say as of a moment, by the history alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from findings.history import Charge, Flag, History, Hold, Refund
from syrve.findings.thresholds import Limits

NOTHING = Decimal(0)
ORDER_RULES = frozenset({"completed_order_unpaid", "charged_order_cancelled", "refund_exceeds_charge"})
ENDED_BADLY = frozenset({"failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class OrderBalance:
    """What was set aside, taken and given back for an order by a moment."""

    state: str | None
    holds: list[Hold]
    unpaid: Decimal
    not_given_back: Decimal
    refunded_too_much: Decimal
    customer_id: str
    wallet_id: str
    moved_at: datetime


def completed_order_unpaid(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """The order went through, nothing is set aside for it any more, and less was taken than is due."""
    for order_id, balance in _settled(history, limits, moment):
        if balance.unpaid:
            yield _about("completed_order_unpaid", order_id, balance, balance.unpaid)


def charged_order_cancelled(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """The order did not go through, and what was taken for it was not given back."""
    for order_id, balance in _settled(history, limits, moment):
        if balance.not_given_back:
            yield _about("charged_order_cancelled", order_id, balance, balance.not_given_back)


def refund_exceeds_charge(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """More was given back for an order than was taken."""
    for order_id, balance in _settled(history, limits, moment):
        if balance.refunded_too_much:
            yield _about("refund_exceeds_charge", order_id, balance, balance.refunded_too_much)


def hold_ended_twice(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """A hold was cancelled and consumed, or consumed twice by what one till reported."""
    for hold in history.holds:
        if hold.sent_at > moment:
            continue
        cancelled = [each.granted_at for each in hold.cancels if each.granted_at and each.granted_at <= moment]
        consumed = [each for each in history.charges_by(moment) if each.consumes and each.hold is hold]
        by_tills = {each.key for each in consumed if not each.is_ours}
        if (cancelled and consumed) or len(by_tills) > 1:
            last_at = max([*cancelled, *(each.charged_at for each in consumed)])
            if last_at <= moment - timedelta(seconds=limits.settle_grace_seconds):
                yield Flag("hold_ended_twice", hold.customer_id, hold.wallet_id, hold.hold_id, hold.amount)


def hold_end_contested(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Somebody reported by mistake that a hold was cancelled, and nobody reports that it really was."""
    found: dict[int, Hold] = {}
    for contested in history.contested:
        hold = contested.hold
        is_due = contested.reported_at <= moment - timedelta(seconds=limits.settle_grace_seconds)
        is_recent = contested.reported_at > moment - timedelta(seconds=limits.lookback_seconds)
        was_cancelled = any(each.granted_at and each.granted_at <= moment for each in hold.cancels)
        if is_due and not was_cancelled and (is_recent or hold.may_be_open(moment)):
            found[id(hold)] = hold
    for hold in found.values():
        yield Flag("hold_end_contested", hold.customer_id, hold.wallet_id, hold.hold_id, hold.amount)


def operation_left_planned(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """One of our processes wrote an operation down and died, and none sent it or gave it up for too long."""
    for planned in history.planned:
        is_due = planned.planned_at <= moment - timedelta(seconds=limits.planned_grace_seconds)
        if is_due and (planned.over_at is None or planned.over_at > moment):
            yield Flag("operation_left_planned", planned.customer_id, planned.wallet_id, None, planned.amount)


def released_payment_unreported(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """The hold of a payment of ours was cancelled long ago, and nobody has said since what became of the order."""
    for hold in history.payments:
        cancelled_at = min((each.granted_at for each in hold.cancels if each.granted_at), default=None)
        order = history.order(hold.order_id, moment)
        if cancelled_at is None or hold.over_at != cancelled_at or (order is not None and order[1] != "open"):
            continue
        if cancelled_at <= moment - timedelta(seconds=limits.report_grace_seconds):
            yield Flag("released_payment_unreported", hold.customer_id, hold.wallet_id, hold.hold_id, hold.amount)


def balance_of(history: History, order_id: str, moment: datetime) -> OrderBalance | None:
    """Add an order up; None if no money has to do with it."""
    holds = [each for each in history.holds if each.order_id == order_id and each.was_made(moment)]
    charges = [each for each in history.charges if _is_of(each, order_id) and each.sent_at <= moment]
    refunds = [each for each in history.refunds if each.order_id == order_id and each.sent_at <= moment]
    if not (holds or charges or refunds):
        return None
    taken = [each for each in charges if _is_known(each.granted_at, moment)]
    charged = sum((each.amount for each in taken if not each.consumes), NOTHING)
    paid = charged + _consumed(taken)
    refunded = sum((each.amount for each in refunds if _is_known(each.granted_at, moment)), NOTHING)
    unknown = sum((each.amount for each in charges if _is_unknown(each, moment)), NOTHING)
    refund_is_unknown = any(_is_unknown(each, moment) for each in refunds)
    known = history.order(order_id, moment)
    state = known[1] if known else None
    unpaid = not_given_back = refunded_too_much = NOTHING
    if state == "completed":
        covered = paid + unknown + _set_aside(holds, charges, moment)
        unpaid = max(_due(history, order_id, moment, holds, covered), NOTHING)
    if state in ENDED_BADLY and not refund_is_unknown:
        not_given_back = max(paid - refunded, NOTHING)
    if not unknown and (state in ENDED_BADLY or paid):
        refunded_too_much = max(refunded - paid, NOTHING)
    of_order: Sequence[Hold | Charge | Refund] = holds or charges or refunds
    first = min(of_order, key=lambda each: each.sent_at)
    moved = [known[0]] if known else []
    moved += [over for each in holds if (over := each.over_at) is not None and over <= moment]
    movements: list[Charge | Refund] = [*charges, *refunds]
    moved += [each.granted_at for each in movements if each.granted_at and each.granted_at <= moment]
    return OrderBalance(
        state,
        holds,
        unpaid,
        not_given_back,
        refunded_too_much,
        first.customer_id,
        first.wallet_id,
        max(moved, default=first.sent_at),
    )


def _due(history: History, order_id: str, moment: datetime, holds: list[Hold], covered: Decimal) -> Decimal:
    """What is due beyond what is covered: paid, still set aside or unknown."""
    made = [each.amount for each in holds if each.was_granted(moment) or each.ended_otherwise(moment)]
    maybe = [each.amount for each in holds if each.may_be_open(moment) and not each.was_granted(moment)]
    expected = history.order_amount(order_id, moment)
    if expected is not None:
        return min(expected, sum([*made, *maybe], NOTHING)) - covered
    return min(made, default=NOTHING) if not covered else NOTHING


def _set_aside(holds: list[Hold], charges: list[Charge], moment: datetime) -> Decimal:
    """What open holds can still pay: of each guest no more than was not taken yet."""
    total = NOTHING
    for customer_id in {each.customer_id for each in holds}:
        theirs = [each for each in charges if each.customer_id == customer_id]
        known = [each for each in theirs if _is_known(each.granted_at, moment)]
        taken = sum((each.amount for each in known if not each.consumes), NOTHING) + _consumed(known)
        taken += sum((each.amount for each in theirs if _is_unknown(each, moment)), NOTHING)
        held = [each for each in holds if each.customer_id == customer_id]
        is_open = sum((each.amount for each in held if each.may_be_open(moment)), NOTHING)
        total += min(is_open, max(sum((each.amount for each in held), NOTHING) - taken, NOTHING))
    return total


def _consumed(taken: list[Charge]) -> Decimal:
    """What tills took from holds: each hold once, however many told of it."""
    of_holds: dict[int, Decimal] = {}
    for each in taken:
        if each.consumes:
            of_holds[id(each.hold)] = max(each.amount, of_holds.get(id(each.hold), NOTHING))
    return sum(of_holds.values(), NOTHING)


def _settled(history: History, limits: Limits, moment: datetime) -> Iterator[tuple[str, OrderBalance]]:
    everything: list[Hold | Charge | Refund] = [*history.holds, *history.charges, *history.refunds]
    known = {each.order_id for each in everything if each.order_id is not None}
    for order_id in sorted(known):
        balance = balance_of(history, order_id, moment)
        if balance is not None and balance.moved_at <= moment - timedelta(seconds=limits.settle_grace_seconds):
            yield order_id, balance


def _about(rule: str, order_id: str, balance: OrderBalance, amount: Decimal) -> Flag:
    return Flag(rule, balance.customer_id, balance.wallet_id, order_id, amount)


def _is_of(charge: Charge, order_id: str) -> bool:
    if charge.order_id is not None:
        return charge.order_id == order_id
    return charge.hold is not None and charge.hold.order_id == order_id


def _is_known(at: datetime | None, moment: datetime) -> bool:
    return at is not None and at <= moment


def _is_unknown(movement: Charge | Refund, moment: datetime) -> bool:
    return not _is_known(movement.granted_at, moment) and not _is_known(movement.refused_at, moment)
