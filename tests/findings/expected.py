"""What each rule should say as of a moment: pure functions over what happened, never over our ledger.

What happened is a `History`: the holds and charges of the simulator's book, each with when whoever made it could know (from the simulator's
answer, and from evidence that it shows), the order service's own records of its orders, and what tills told of consumption.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from findings.book import Book, BookHold
from findings.expected_of_orders import (
    charged_order_cancelled,
    completed_order_unpaid,
    hold_end_contested,
    hold_ended_twice,
    operation_left_planned,
    refund_exceeds_charge,
    released_payment_unreported,
)
from findings.history import Charge, Flag, History, Hold
from syrve.findings.thresholds import Limits
from syrve.wallet.operations import marked_operations

CERTAIN_RULES = frozenset(
    {"stale_hold", "order_failed_hold_open", "charged_hold_open", "hold_without_order", "duplicate_hold"}
)
"""They say that money is set aside: whatever they flag must be open in the simulator's book."""
ENDED_BADLY = frozenset({"failed", "cancelled"})

Expectation = Callable[[History, Limits, datetime], Iterator[Flag]]


def expected(history: History, limits: Limits, moment: datetime) -> list[Flag]:
    """Everything that should be flagged as of a moment; two cancellations of one hold may both be unknown."""
    return [flag for rule in RULES.values() for flag in rule(history, limits, moment)]


def stale_hold(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Money is set aside for too long; the order did not fail, and no charge for it was found."""
    paid = payments(history, limits, moment)
    for hold in _certain(history, moment):
        order = history.order(hold.order_id, moment)
        did_fail = order is not None and order[1] in ENDED_BADLY
        if hold.sent_at <= _ago(moment, limits.hold_ttl_seconds) and not did_fail and id(hold) not in paid:
            yield _about_hold("stale_hold", hold)


def order_failed_hold_open(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Money is set aside for an order that failed or was cancelled."""
    for hold in _certain(history, moment):
        order = history.order(hold.order_id, moment)
        if order is None or order[1] not in ENDED_BADLY:
            continue
        if max(order[0], hold.sent_at) <= _ago(moment, limits.settle_grace_seconds):
            yield _about_hold("order_failed_hold_open", hold)


def charged_hold_open(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Money is set aside for what was charged already."""
    paid = payments(history, limits, moment)
    for hold in _certain(history, moment):
        charge = paid.get(id(hold))
        if charge is not None and charge.charged_at <= _ago(moment, limits.settle_grace_seconds):
            yield _about_hold("charged_hold_open", hold)


def hold_without_order(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Money is set aside for an order that the order service does not know."""
    for hold in _certain(history, moment):
        if history.order(hold.order_id, moment) is None and hold.sent_at <= _ago(moment, limits.order_grace_seconds):
            yield _about_hold("hold_without_order", hold)


def hold_outcome_unknown(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """A hold was sent, and nobody can know whether it was made."""
    for hold in history.holds:
        if (
            hold.may_be_open(moment)
            and not hold.was_granted(moment)
            and hold.sent_at <= _ago(moment, limits.unknown_grace_seconds)
        ):
            yield _about_hold("hold_outcome_unknown", hold)


def cancel_outcome_unknown(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """A cancellation was sent, nobody can know whether it was made, and the hold did not end otherwise."""
    for hold in history.holds:
        for cancel in hold.cancels:
            is_due = cancel.sent_at <= _ago(moment, limits.unknown_grace_seconds)
            if cancel.is_unknown(moment) and is_due and hold.may_be_open(moment):
                yield _about_hold("cancel_outcome_unknown", hold)


def movement_outcome_unknown(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """A charge was sent, and nobody can know whether the money was taken."""
    for charge in history.charges:
        settled_at = charge.granted_at or charge.refused_at
        is_unknown = settled_at is None or settled_at > moment
        if is_unknown and charge.sent_at <= _ago(moment, limits.unknown_grace_seconds):
            yield Flag("movement_outcome_unknown", charge.customer_id, charge.wallet_id, charge.key, charge.amount)


def duplicate_hold(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Money is set aside twice for the same order of a wallet, or twice the same sum at once for none: each but the first."""
    alike: dict[object, list[Hold]] = {}
    for hold in _certain(history, moment):
        what: object = hold.order_id or hold.amount
        alike.setdefault((hold.customer_id, hold.wallet_id, what), []).append(hold)
    for holds in alike.values():
        holds.sort(key=lambda each: (each.sent_at, each.hold_id or ""))
        for former, later in pairwise(holds):
            apart_seconds = (later.sent_at - former.sent_at).total_seconds()
            if later.order_id is not None or apart_seconds <= limits.duplicate_window_seconds:
                yield _about_hold("duplicate_hold", later)


def charge_without_hold(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """Somebody else charged for an order that has no hold, or by sums more often than there were holds."""
    for charge in history.charges_by(_ago(moment, limits.settle_grace_seconds)):
        is_recent = charge.charged_at > _ago(moment, limits.lookback_seconds)
        if is_recent and not charge.is_ours and not _has_a_hold(history, charge, limits, moment):
            yield Flag("charge_without_hold", charge.customer_id, charge.wallet_id, charge.key, charge.amount)


def charge_amount_mismatch(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """What was charged for a hold is another sum than was held."""
    for hold in history.holds:
        if not hold.was_made(moment):
            continue
        is_alone = sum(_same_order(hold, each) and each.was_made(moment) for each in history.holds) == 1
        own = [each for each in history.charges_by(moment) if each.hold is hold]
        if is_alone and hold.order_id is not None:
            own += [
                each
                for each in history.charges_by(moment)
                if each.hold is None and _same_order(hold, each) and each.charged_at >= hold.sent_at
            ]
        if not own:
            continue
        last_at = max(each.charged_at for each in own)
        consumed = max((each.amount for each in own if each.consumes), default=Decimal(0))
        difference = abs(sum(each.amount for each in own if not each.consumes) + consumed - hold.amount)
        is_recent = last_at > _ago(moment, limits.lookback_seconds)
        if difference and is_recent and last_at <= _ago(moment, limits.settle_grace_seconds):
            yield _about_hold("charge_amount_mismatch", hold)._replace(amount=difference)


def unexplained_balance_change(history: History, limits: Limits, moment: datetime) -> Iterator[Flag]:
    """While money was set aside, the balance moved by something that nobody told of."""
    missing: dict[tuple[str, str], Decimal] = {}
    for customer_id, wallet_id, amount, seen_at in history.silent:
        of_wallet = [
            each for each in _certain(history, moment) if (each.customer_id, each.wallet_id) == (customer_id, wallet_id)
        ]
        if not of_wallet:
            continue
        since = max(min(each.sent_at for each in of_wallet), _ago(moment, limits.lookback_seconds))
        if since < seen_at <= _ago(moment, limits.balance_skew_seconds):
            missing[customer_id, wallet_id] = missing.get((customer_id, wallet_id), Decimal(0)) + abs(amount)
    for (customer_id, wallet_id), total in missing.items():
        yield Flag("unexplained_balance_change", customer_id, wallet_id, None, total)


RULES: Mapping[str, Expectation] = {
    rule.__name__: rule
    for rule in (
        stale_hold,
        order_failed_hold_open,
        charged_hold_open,
        hold_without_order,
        hold_outcome_unknown,
        cancel_outcome_unknown,
        movement_outcome_unknown,
        duplicate_hold,
        charge_without_hold,
        charge_amount_mismatch,
        unexplained_balance_change,
        completed_order_unpaid,
        charged_order_cancelled,
        refund_exceeds_charge,
        hold_ended_twice,
        hold_end_contested,
        operation_left_planned,
        released_payment_unreported,
    )
}

NOT_PLAYED = frozenset({"operation_moved_twice", "operation_not_shown"})
"""No service of this simulation lies or repeats a call, so that none of these may ever be found there; `test_lies` plays them."""


def dangling(book: Book, history: History, limits: Limits, moment: datetime) -> dict[str, BookHold]:
    """The holds of the book that must be flagged, whatever the rule, by the id that findings give them.

    They are open for longer than a hold may be, and whoever settles it had time to do so since its order ended or was charged.
    """
    long_ago, just_now = _ago(moment, limits.hold_ttl_seconds), _ago(moment, limits.settle_grace_seconds)
    lately = [
        hold
        for hold in history.holds
        for at, _ in history.orders.get(hold.order_id or "", [])
        if just_now < at <= moment
    ]
    at_work = {each.hold_id for each in lately}
    at_work |= {
        hold.hold_id
        for charge in history.charges_by(moment)
        for hold in history.holds
        if charge.charged_at > just_now
        and (charge.hold is hold or _same_order(hold, charge) or _same_sum(hold, charge))
    }
    open_ones = [each for each in book.holds if each.is_open(moment) and each.opened_at <= long_ago]
    return {name_of(each): each for each in open_ones if name_of(each) not in at_work}


def name_of(hold: BookHold) -> str:
    """The id by which findings call a hold: our operation, which its comment names, or else Syrve's."""
    marked = marked_operations(hold.comment)
    return marked[0] if marked else hold.hold_id


def payments(history: History, limits: Limits, moment: datetime) -> dict[int, Charge]:
    """The charge that pays for each open hold, by the identity of the hold: the one that names it, or else one of its order or sum.

    A charge of an order is for the latest hold of its sum that is open then, not paid yet, and not named by a till or another charge; the
    only hold of an order is paid by any.
    Where one of the two names no order, the sum alone has to tell, soon after the hold.
    """
    found: dict[int, Charge] = {}
    named = {id(each.hold) for each in history.charges_by(moment) if each.hold is not None}
    for charge in history.charges_by(moment):
        if charge.consumes:
            continue
        if charge.hold is not None:
            found.setdefault(id(charge.hold), charge)
            continue
        of_order = [each for each in history.holds if _may_be_for(each, charge, limits) and each.was_granted(moment)]
        open_ones = [each for each in of_order if each.may_be_open(charge.charged_at) and id(each) not in found]
        open_ones = [each for each in open_ones if id(each) not in named]
        if len(of_order) > 1:
            open_ones = [each for each in open_ones if each.amount == charge.amount]
        if open_ones:
            found[id(max(open_ones, key=lambda each: (each.sent_at, each.hold_id or "")))] = charge
    return found


def _has_a_hold(history: History, charge: Charge, limits: Limits, moment: datetime) -> bool:
    if charge.hold is not None:
        return True
    if any(
        _same_order(each, charge) and each.sent_at <= charge.charged_at and each.was_made(moment)
        for each in history.holds
    ):
        return True
    holds = [each for each in history.holds if _may_be_for(each, charge, limits) and each.was_made(moment)]
    rivals = [each for each in history.charges_by(charge.charged_at) if each.hold is None and _are_rivals(each, charge)]
    left = 0
    for _, is_hold, what in sorted(
        [(each.sent_at, True, each) for each in holds] + [(each.charged_at, False, each) for each in rivals],
        key=lambda each: (each[0], not each[1]),
    ):
        if what is charge:
            return left > 0
        left = left + 1 if is_hold else max(0, left - 1)
    return False


def _certain(history: History, moment: datetime) -> Sequence[Hold]:
    return [each for each in history.holds if each.sets_aside(moment)]


def _same_order(one: Hold | Charge, other: Hold | Charge) -> bool:
    return one.order_id is not None and (one.order_id, one.customer_id, one.wallet_id) == (
        other.order_id,
        other.customer_id,
        other.wallet_id,
    )


def _may_be_for(hold: Hold, charge: Charge, limits: Limits) -> bool:
    if hold.order_id is not None and charge.order_id is not None:
        return _same_order(hold, charge)
    is_soon = timedelta(0) <= charge.charged_at - hold.sent_at < timedelta(seconds=limits.charge_window_seconds)
    return is_soon and _same_sum(hold, charge)


def _are_rivals(one: Charge, other: Charge) -> bool:
    if one.order_id is not None and other.order_id is not None:
        return _same_order(one, other)
    return _same_sum(one, other)


def _same_sum(one: Hold | Charge, other: Hold | Charge) -> bool:
    return (one.customer_id, one.wallet_id, one.amount) == (other.customer_id, other.wallet_id, other.amount)


def _about_hold(rule: str, hold: Hold) -> Flag:
    return Flag(rule, hold.customer_id, hold.wallet_id, hold.hold_id, hold.amount)


def _ago(moment: datetime, seconds: float) -> datetime:
    return moment - timedelta(seconds=seconds)
