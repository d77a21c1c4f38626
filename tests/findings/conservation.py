"""What was taken from each guest for an order of ours, by the simulator's book: the order's amount or nothing, or a finding says so."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from findings.book import Book
from findings.history import Flag
from findings.own_payments import OwnPayment
from findings.simulation import Simulation


def violations(simulation: Simulation, moment: datetime, got: Sequence[Flag]) -> str:
    """Say which orders of ours took too much, or another sum than they should without a finding as of the moment."""
    assert simulation.book is not None
    lines = [line for payment in simulation.own for line in _violations(simulation.book, payment, got)]
    if lines:
        lines.insert(
            0,
            f"seed {simulation.world.seed} ({simulation.world.dialect}, {simulation.world.switches}), as of {moment}:",
        )
    return "\n".join(lines)


def taken_by(book: Book, payment: OwnPayment) -> Decimal:
    """What left the guest's wallet for the order: charges and consumed holds."""
    theirs = payment.purse.customer_id
    charged = sum((each.amount for each in book.charges if each.customer_id == theirs), Decimal(0))
    consumed = (each.amount for each in book.holds if each.customer_id == theirs and each.state == "consumed")
    return charged + sum(consumed, Decimal(0))


def _violations(book: Book, payment: OwnPayment, got: Sequence[Flag]) -> Iterator[str]:
    taken = taken_by(book, payment)
    due = payment.amount if payment.was_served else Decimal(0)
    is_found = any(flag.customer_id == payment.purse.customer_id for flag in got)
    what = f"order {payment.order_id} of {payment.amount} ({payment.policy}) was {'' if due else 'not '}served"
    if taken > payment.amount:
        yield f"  {what}, and {taken} was taken"
    elif taken != due and not is_found:
        yield f"  {what}, {taken} was taken, and no finding says so"
