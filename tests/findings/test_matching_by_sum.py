"""Holds and charges of one sum on one wallet: each is matched as if it were looked at alone, at a cost that grows with their number."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from fixtures.books import ORGANIZATION, OTHER_ORGANIZATION, Book, after
from syrve.findings.rules import all_rules
from syrve.findings.thresholds import Limits
from syrve.wallet.importing import WalletImport
from syrve.warehouse.runs import TaskKey
from syrve.warehouse.sql_files import sql

LATER = after(hours=8)
LIMITS = Limits(charge_window_seconds=3600.0, amount_tolerance=Decimal("0.01"), settle_grace_seconds=0.0)
WALLETS = 60
ROWS_PER_WALLET = 14


@dataclass(frozen=True)
class Held:
    """A hold as the ledger has it."""

    hold_id: str
    wallet_id: str
    amount: Decimal
    order_id: str | None
    opened_at: datetime
    confirmed_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None


@dataclass(frozen=True)
class Charged:
    """A charge as the ledger has it; it names no hold."""

    operation_id: str
    wallet_id: str
    amount: Decimal
    order_id: str | None
    requested_at: datetime
    charged_at: datetime


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_match_by_sum_is_that_of_each_looked_at_alone(book: Book, seed: int) -> None:
    write(book, list(crowded_wallets(random.Random(seed))))
    holds, charges = read(book)

    matched = book.rows(
        "select hold_id::text, charge_id::text from wallet.hold_charge_as_of(%s, %s, %s, %s) where matched_by = 'sum'",
        *(LATER, ORGANIZATION, LIMITS.charge_window_seconds, LIMITS.amount_tolerance),
    )
    book.limits = LIMITS
    found = book.found(LATER, rules=[each for each in all_rules() if each.name == "charge_without_hold"])

    paid = {hold.hold_id: charge_of(hold, holds, charges) for hold in holds if is_open(hold)}
    alone = {("charge_without_hold", each.operation_id) for each in charges if not has_a_hold(each, holds, charges)}
    assert dict(matched) == {hold_id: charge for hold_id, charge in paid.items() if charge is not None}
    assert found == alone
    assert len(matched) > WALLETS / 2
    assert len(alone) > WALLETS / 2


@pytest.mark.parametrize("what", ["hold_charge_as_of", "charge_without_hold"])
def test_work_grows_with_the_holds_and_not_with_their_pairs(book: Book, what: str) -> None:
    few, many = 25, 100
    write(book, list(hot_wallet(few, ORGANIZATION)) + list(hot_wallet(many, OTHER_ORGANIZATION)))
    book.run("analyze")

    work = {
        organization: rows_looked_at(book, what, organization) for organization in (ORGANIZATION, OTHER_ORGANIZATION)
    }

    assert work[ORGANIZATION] > few
    assert work[OTHER_ORGANIZATION] < 1.5 * many / few * work[ORGANIZATION]


def crowded_wallets(rng: random.Random) -> Iterator[Mapping[str, Any]]:
    """Few times and sums, so that many are the same; orders that no hold shares with a charge."""
    for number in range(WALLETS):
        whose = {"customer_id": an_id(rng), "wallet_id": an_id(rng), "organization_id": ORGANIZATION}
        for step in range(ROWS_PER_WALLET):
            at = after(minutes=5 * rng.randrange(20))
            row = whose | {
                "key": f"{number}-{step}",
                "amount": rng.choice(("10.00", "10.00", "10.01", "10.02", "20.00")),
                "order_id": rng.choice(("", "", f"o{number}-{step}")),
            }
            if rng.random() < 0.5:
                hold_id = an_id(rng)
                states = rng.choice(
                    (("confirmed",), ("confirmed",), ("sent", "confirmed"), ("sent", "rejected"), ("unknown",))
                )
                yield from states_of(row | {"record": "hold", "hold_id": hold_id}, at, states)
                if rng.random() < 0.4 and "rejected" not in states:
                    end = {"record": "cancel_hold", "hold_id": hold_id, "order_id": "", "key": f"{number}-{step}-c"}
                    yield from states_of(row | end, at + timedelta(minutes=5 * rng.randrange(1, 12)), ("confirmed",))
            else:
                yield from states_of(
                    row | {"record": "chargeoff"}, at, rng.choice((("confirmed",), ("sent", "confirmed"))), rng
                )


def hot_wallet(size: int, organization: str) -> Iterator[Mapping[str, Any]]:
    """As many holds as charges of one sum, all holds first."""
    rng = random.Random(size)
    whose = {"customer_id": an_id(rng), "wallet_id": an_id(rng), "organization_id": organization, "amount": "10.00"}
    for number in range(size):
        yield from states_of(whose | {"record": "hold", "hold_id": an_id(rng)}, after(seconds=number), ("confirmed",))
        charge = {"record": "chargeoff", "key": f"{size}-{number}"}
        yield from states_of(whose | charge, after(minutes=30, seconds=number), ("confirmed",))


def states_of(
    row: Mapping[str, Any], at: datetime, states: tuple[str, ...], rng: random.Random | None = None
) -> Iterator[Mapping[str, Any]]:
    """A row for each state, some minutes apart where an `rng` is given."""
    for state in states:
        yield {**row, "state": state, "occurred_at": at.isoformat()}
        at += timedelta(minutes=5 * rng.randrange(20) if rng else 1)


def an_id(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def write(book: Book, rows: list[Mapping[str, Any]]) -> None:
    importing = WalletImport(book.warehouse, key=TaskKey("run", "import"), source="till")
    assert not importing.run([pd.DataFrame(rows, dtype="object")]).rejected


def read(book: Book) -> tuple[list[Held], list[Charged]]:
    """What the ledger has, without what the matching is about."""
    holds = book.rows(
        "select hold_id::text, wallet_id::text, amount, order_id, opened_at, confirmed_at, closed_at, closed_by from wallet.hold"
    )
    charges = book.rows(
        "select operation_id::text, wallet_id::text, amount, order_id, requested_at, charged_at from wallet.charge"
    )
    return [Held(*each) for each in holds], [Charged(*each) for each in charges]


def is_open(hold: Held) -> bool:
    return hold.confirmed_at is not None and hold.closed_at is None


def are_alike(one: Held | Charged, other: Held | Charged) -> bool:
    return one.wallet_id == other.wallet_id and abs(one.amount - other.amount) <= LIMITS.amount_tolerance


def charge_of(hold: Held, holds: list[Held], charges: list[Charged]) -> str | None:
    """The first charge at which more charges than later holds still open went by since the hold was opened."""
    until = hold.opened_at + timedelta(seconds=LIMITS.charge_window_seconds)
    usable = sorted(
        (
            each
            for each in charges
            if are_alike(each, hold)
            and hold.opened_at <= each.requested_at <= until
            and each.charged_at >= hold.opened_at
            and (each.order_id is None or hold.order_id is None)
        ),
        key=lambda each: (each.charged_at, each.operation_id),
    )
    rivals = [
        each
        for each in holds
        if are_alike(each, hold)
        and each.confirmed_at is not None
        and (each.opened_at, each.hold_id) > (hold.opened_at, hold.hold_id)
    ]
    for so_far, charge in enumerate(usable, start=1):
        still_open = sum(
            (charge.order_id is None or each.order_id is None)
            and each.opened_at <= charge.charged_at
            and (each.closed_at is None or each.closed_at > charge.charged_at)
            for each in rivals
        )
        if so_far > still_open:
            return charge.operation_id
    return None


def has_a_hold(charge: Charged, holds: list[Held], charges: list[Charged]) -> bool:
    """Whether, going back from the charge, there is some hold by which there are as many holds as charges."""
    since = charge.charged_at - timedelta(seconds=LIMITS.charge_window_seconds)
    before = [
        each
        for each in holds
        if are_alike(each, charge)
        and since < each.opened_at <= charge.charged_at
        and each.closed_by != "rejected"
        and (each.order_id is None or charge.order_id is None)
    ]
    rivals = [
        each
        for each in charges
        if are_alike(each, charge)
        and each.requested_at > since
        and (each.charged_at, each.operation_id) <= (charge.charged_at, charge.operation_id)
        and (each.order_id is None or charge.order_id is None or each is charge)
    ]
    return any(
        sum((each.opened_at, each.hold_id) >= (hold.opened_at, hold.hold_id) for each in before)
        >= sum(each.charged_at >= hold.opened_at for each in rivals)
        for hold in before
    )


def rows_looked_at(book: Book, what: str, organization: str) -> int:
    """The rows that all nodes of the plan read, those that they threw away included."""
    if what == "hold_charge_as_of":
        query = "select * from wallet.hold_charge_as_of(%(as_of)s, %(organization_id)s, %(charge_window_seconds)s, %(amount_tolerance)s)"
    else:
        query = next(each.query for each in all_rules() if each.name == what)
    values = {"as_of": LATER, "organization_id": organization, "severity": "low"} | Limits().values()
    with book.connection, book.connection.cursor() as cursor:
        cursor.execute(sql("reconcile/look_up.sql"))
        cursor.execute(f"explain (analyze, costs off, timing off, format json) {query}", values)
        ((plan,),) = cursor.fetchall()
    return rows_of(plan[0]["Plan"])


def rows_of(node: Mapping[str, Any]) -> int:
    rows = sum(value for name, value in node.items() if name == "Actual Rows" or name.startswith("Rows Removed"))
    return int(rows * node["Actual Loops"]) + sum(rows_of(each) for each in node.get("Plans", ()))
