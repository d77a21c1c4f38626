"""What a dialect has to provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syrve_simulator.access import Access
from syrve_simulator.bank import Bank
from syrve_simulator.behaviour import Behaviour
from syrve_simulator.model import CouponSeries, Customer, IdentityKind, Organization
from syrve_simulator.orders import OrderBook
from syrve_simulator.signals import SignalSender
from syrve_simulator.world import World

Body = Mapping[str, Any]
LookupFields = Mapping[str, tuple[IdentityKind, str]]
Envelope = Callable[[dict[str, object]], bytes]
"""Writes what a loyalty operation answers."""


class Lookup(NamedTuple):
    """Who was asked for."""

    organization_id: str
    kind: IdentityKind
    value: str


class Answer(NamedTuple):
    """What goes back to the caller; `lookup` is set when this is the real answer to a customer look-up."""

    status: int
    body: bytes
    lookup: Lookup | None = None


@dataclass(slots=True)
class Service:
    """What the operations work on."""

    world: World
    access: Access
    bank: Bank
    behaviour: Behaviour
    orders: OrderBook
    signals: SignalSender
    without_loyalty: frozenset[str] = field(default_factory=frozenset)

    def home_of(self, organization: Organization) -> Organization:
        """Return where an organization's customers and their money are kept: with the first one, in a loyalty network."""
        if self.behaviour.one_loyalty_network:
            return next(iter(self.world.organizations.values()))
        return organization


class BadRequestError(Exception):
    """A request that is refused; carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: its name (also in fault scripts and counts), its paths, and what it does.

    `subject` is the request field that says whom or what it is about, for prepared answers (`/_control/raw_answers`).
    """

    name: str
    paths: tuple[str, ...]
    answer: Callable[[Service, Body], Answer]
    needs_token: bool = True
    subject: Callable[[Body], str | None] = lambda _body: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A dialect: its operations, and how it writes and reads customers and coupon series on the control path.

    `lookup_fields` gives for each `type` of a look-up the kind of identity and the field that holds it; `with_history` says whether
    customers have what only the cloud dialect tells. The readers raise ValueError with what is wrong.
    """

    name: str
    operations: tuple[Operation, ...]
    encode_customer: Callable[[Customer], bytes]
    apply_fields: Callable[[Customer, Body], None]
    read_coupon_series: Callable[[Body], CouponSeries]
    lookup_fields: LookupFields
    with_history: bool = False
