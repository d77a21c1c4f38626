"""Tills: they take held money or refuse, split bills, cancel what was paid, give back, and report it by clocks that are off."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from findings.history import Charge, Hold, Refund
from findings.service import Order, Service
from findings.world import Purse, Wait, World
from syrve_simulator.control import SimulatorRefusedError

_QUARTER, _HOUR, _DAY = 900.0, 3600.0, 86400.0
MOST_SECONDS_OFF = 295.0


class Tills:
    """The tills of one restaurant, and the order service that holds money for them."""

    def __init__(self, world: World, service: Service) -> None:
        self._world = world
        self._service = service

    def serve(self, order: Order, guests: list[Purse]) -> Wait:
        """Hold each guest's part, let the till take the parts, close the order, and maybe cancel it after all."""
        rng = self._world.rng
        parts = [self._part(order, guest, number) for number, guest in enumerate(guests)]
        total = sum((each.amount for each in parts), Decimal(0)) if rng.random() < 0.6 else None
        self._service.tell_order(order, "open", total)
        for part in parts:
            self._service.hold(part)
        yield rng.choice([_QUARTER, 3 * _QUARTER])
        for part in parts:
            for hold in part.holds:
                self._pay(part, hold)
        self._service.tell_order(order, "completed", total)
        yield rng.choice([_QUARTER, 3 * _HOUR, _DAY])
        for part in parts:
            for hold in part.holds:
                was_not_taken = hold.consumed_at is None or hold.hold_id in self._service.misreported
                if was_not_taken or rng.random() < 0.05:
                    self._service.cancel(part, hold)
        if rng.random() < 0.4:
            yield from self._take_back(order, parts, total)

    def _part(self, order: Order, guest: Purse, number: int) -> Order:
        return Order(order.order_id, guest, self._world.amount(), order.told_order_id, keys=100 * number)

    def _pay(self, part: Order, hold: Hold) -> None:
        """Let the till take a hold; it may refuse, or report what it did not do."""
        world, rng = self._world, self._world.rng
        off_seconds = rng.choice([0.0, 0.0, MOST_SECONDS_OFF, -MOST_SECONDS_OFF])
        world.control.set_switches(
            till_answer="refuses" if rng.random() < 0.15 else "consumes",
            till_clock_off_seconds=off_seconds,
            bonus_share=rng.choice([0, 0, 0.05, 1]),
        )
        at = world.now + timedelta(seconds=off_seconds)
        assert hold.hold_id is not None
        try:
            world.control.consume_hold(world.organization_id, hold.hold_id)
        except SimulatorRefusedError:
            if rng.random() < 0.7:
                return
            self._service.misreported.add(hold.hold_id)  # the till believes that it was paid, and says so
        finally:
            world.control.set_switches(till_answer="consumes", till_clock_off_seconds=0, bonus_share=0)
        self._report(part, hold, at)
        if rng.random() < 0.08:
            self._report(part, hold, at + timedelta(seconds=30))  # under another key, as a second payment
        world.time.advance(1)

    def _report(self, part: Order, hold: Hold, at: datetime) -> None:
        world, key = self._world, part.key("till")
        world.tell(
            "chargeoff",
            at=at,
            key=key,
            hold_id=hold.hold_id,
            consumes_hold=True,
            customer_id=part.purse.customer_id,
            wallet_id=part.purse.wallet_id,
            amount=hold.amount,
            order_id=part.told_order_id,
        )
        hold.consumed_at = min(at, hold.consumed_at or at)
        whose = (hold.customer_id, hold.wallet_id, hold.amount, hold.order_id)
        world.history.charges.append(Charge(key, *whose, at, at, None, hold, consumes=True))

    def _take_back(self, order: Order, parts: list[Order], total: Decimal | None) -> Wait:
        """Cancel an order that was paid, and give the money back: never, once or twice."""
        world, rng = self._world, self._world.rng
        self._service.tell_order(order, rng.choice(["cancelled", "failed"]), total)
        yield rng.choice([_QUARTER, 3 * _QUARTER, _DAY])
        times: Literal["never", "once", "twice"] = rng.choice(["never", "once", "once", "twice"])
        world.control.set_switches(till_refunds=times)
        for part in parts:
            for hold in part.holds:
                try:
                    report = world.control.refund_hold(world.organization_id, str(hold.hold_id))
                except SimulatorRefusedError:
                    continue
                for _ in report["transactions"]:
                    self._refund(part, hold)
        world.control.set_switches(till_refunds="once")

    def _refund(self, part: Order, hold: Hold) -> None:
        world, purse = self._world, part.purse
        fields: dict[str, Any] = {
            "customer_id": purse.customer_id,
            "wallet_id": purse.wallet_id,
            "amount": hold.amount,
        }
        world.tell("topup", key=part.key("refund"), order_id=part.told_order_id, **fields)
        if part.told_order_id is not None:
            whose = (purse.customer_id, purse.wallet_id, hold.amount, part.told_order_id)
            world.history.refunds.append(Refund(*whose, world.now, world.now))
        world.time.advance(1)
