"""Works signals off: makes their customers due, adds unknown ones, reports the states of orders, and learns what signals lead to."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from functools import partial
from typing import Any

from syrve.wallet.take_in import prepare
from syrve.warehouse.database import Connection, Cursor, Warehouse, fetch_one, run_patiently, transaction
from syrve.warehouse.sql_files import sql

BATCH_SIGNALS = 500
"""What a batch led to decides how many of the next are followed: a first storm costs the look-ups of one batch."""
LEAST_SHARE = 0.02
"""Of a kind of signal that led to nothing, this many are still followed: else it could never prove itself again."""
FULL_WORTH = 0.2
"""A kind of which one in five leads to a change is followed always; one below that, in proportion."""

MANY_A_DAY = 5_000
"""Of a kind in an organization; beyond it the share of one that is worth little falls, so that a storm without end costs few look-ups."""

_BEFORE_ORDERS = ("find_persons", "choose", "add", "make_due", "movements")


@dataclass(slots=True)
class Worked:
    """What was done: signals `taken`, of them `followed` ones, with `new_customers`, about `orders`; and those `evaluated`."""

    taken: int = 0
    followed: int = 0
    new_customers: int = 0
    orders: int = 0
    evaluated: int = 0
    led_to_change: int = 0

    def add(self, other: Worked) -> None:
        """Add another's counts to these."""
        for field in dataclasses.fields(Worked):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return dataclasses.asdict(self)


class SignalWork:
    """One task's work on signals; any number of them may run at the same time, each with different signals."""

    def __init__(self, warehouse: Warehouse, *, batch_signals: int = BATCH_SIGNALS) -> None:
        self._warehouse = warehouse
        self._batch_signals = batch_signals

    def is_full(self, done: Worked) -> bool:
        """Tell whether a batch was as large as one may be: more signals may wait."""
        return done.taken >= self._batch_signals

    def take(self, *, at_most_batches: int | None = None) -> Worked:
        """Work off the signals that wait, a batch at a time, each in one transaction. Raises `WarehouseError`."""
        total = Worked()
        with self._warehouse.connect() as connection:
            if not _is_any_waiting(connection):
                return total
            prepare(connection)
            with transaction(connection, "prepare to take signals") as cursor:
                cursor.execute(sql("signals/staging.sql"))
            for batch in itertools.count(1):
                done = run_patiently(connection, "take signals", self._take_batch)
                total.add(done)
                if batch == at_most_batches or not self.is_full(done):
                    break
        return total

    def evaluate(self) -> Worked:
        """Establish what followed signals led to, as far as look-ups have answered. Raises `WarehouseError`."""
        total = Worked()
        values = {"batch_signals": self._batch_signals}
        with self._warehouse.connect() as connection:
            while True:
                with transaction(connection, "evaluate signals") as cursor:
                    cursor.execute(sql("signals/evaluate.sql"), values)
                    evaluated, led_to_change, *_ = fetch_one(cursor)
                total.add(Worked(evaluated=evaluated, led_to_change=led_to_change))
                if evaluated < self._batch_signals:
                    return total

    def knows_organizations(self, account: str) -> bool:
        """Tell whether the organizations of an account (`login_fingerprint`) have been listed, and those of all signals that wait."""
        with self._warehouse.transaction("look for organizations of signals") as cursor:
            cursor.execute(sql("signals/knows_organizations.sql"), {"account": account})
            return bool(fetch_one(cursor)[0])

    def organizations_due(self, account: str) -> list[str]:
        """Return the organizations of an account (`login_fingerprint`) with customers whom signals made due."""
        with self._warehouse.transaction("look for customers that signals made due") as cursor:
            cursor.execute(sql("signals/organizations.sql"), {"account": account})
            return [organization_id for (organization_id,) in cursor.fetchall()]

    def _take_batch(self, cursor: Cursor) -> Worked:
        values: dict[str, Any] = {
            "batch_signals": self._batch_signals,
            "least_share": LEAST_SHARE,
            "full_worth": FULL_WORTH,
            "many_a_day": MANY_A_DAY,
        }
        run = partial(_run, cursor, values)
        run("claim")
        for name in _BEFORE_ORDERS:
            run(name)
        run("stage_orders")
        turns: int = fetch_one(cursor)[0]
        for turn in range(1, turns + 1):
            cursor.execute(sql("wallet/orders.sql"), {"turn": turn})
        run("finish")
        taken, followed, new_customers, orders, *_ = fetch_one(cursor)
        return Worked(taken, followed, new_customers, orders)


def _is_any_waiting(connection: Connection) -> bool:
    with transaction(connection, "look for signals") as cursor:
        cursor.execute("select exists (select from sync.signal where taken_at is null)")
        return bool(fetch_one(cursor)[0])


def _run(cursor: Cursor, values: dict[str, Any], name: str) -> None:
    cursor.execute(sql(f"signals/{name}.sql"), values)
