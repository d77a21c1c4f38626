"""The state of the simulated service: the population, and on top all changes since."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from syrve_simulator.model import Card, Coupon, CouponSeries, Customer, IdentityKind, Organization, Wallet, canonical
from syrve_simulator.population import Population
from syrve_simulator.population.organizations import BONUS

CACHED_ANSWERS = 32_768
_Key = tuple[int, int]
_SHARED_KINDS = frozenset({"email", "card_number"})


class WorldError(Exception):
    """A change that the service refuses; its text may quote what the caller sent."""


class UnknownCustomerError(WorldError):
    """No customer of the organization has that id."""


class IdentityTakenError(WorldError):
    """Another customer of the organization has that phone, id or card track already."""


class World:
    """Customers, coupons and organizations as they are now.

    A customer is an ordinal: in the population's range, or above it when added later. Changed and added customers are kept,
    all others are computed when asked for. `as_seen` (of an organization's position, an ordinal and the customer) may put
    the balances right before `encode` turns a customer into an answer's bytes; the last 32,768 are kept
    until their customer changes.
    """

    def __init__(
        self,
        population: Population,
        encode: Callable[[Customer], bytes],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.population = population
        self.organizations = {one.organization_id: one for one in population.organizations}
        self.as_seen: Callable[[int, int, Customer], Customer] = lambda _organization, _ordinal, customer: customer
        self._encode = encode
        self._clock = clock
        # not a dict: taking the oldest out of one walks over every place that was emptied before
        self._encoded: OrderedDict[_Key, bytes] = OrderedDict()
        self._changed: dict[_Key, Customer | None] = {}
        self._identities: dict[tuple[int, IdentityKind, str], int] = {}
        self._sharers: dict[tuple[int, IdentityKind, str], set[int]] = {}
        self._unknown_until: dict[_Key, float] = {}
        self._added: dict[int, list[int]] = {}
        self._next_ordinal = population.customers
        self._series: dict[int, list[CouponSeries]] = {}
        self._coupons: dict[int, dict[str, list[Coupon]]] = {}

    def resolve(self, organization: Organization, kind: IdentityKind, value: str) -> int | None:
        """Return who the organization knows by this identity now, or None; of several the one who has been known longest."""
        position, value = organization.position, canonical(kind, value)
        if kind in _SHARED_KINDS:
            return self._resolve_shared(organization, kind, value)
        ordinal = self._identities.get((position, kind, value))
        if ordinal is not None:
            return ordinal
        ordinal = self.population.ordinal(kind, value)
        if (
            ordinal is None
            or (position, ordinal) in self._changed
            or not self.population.lives_in(ordinal, organization)
        ):
            return None
        return ordinal

    def customer(self, organization: Organization, ordinal: int) -> Customer:
        """Return a customer's present state, to look at: change a `copy()` and `put` it.

        Raises UnknownCustomerError when the organization does not know them (any more).
        """
        key = (organization.position, ordinal)
        if key in self._changed:
            changed = self._changed[key]
            if changed is None:
                raise UnknownCustomerError("This customer was removed")
            return changed
        if not self.population.lives_in(ordinal, organization):
            raise UnknownCustomerError("The organization knows no such customer")
        return self.population.customer(ordinal, organization)

    def answer(self, organization: Organization, ordinal: int) -> bytes:
        """Return a customer's encoded answer."""
        key = (organization.position, ordinal)
        encoded = self._encoded.get(key)
        if encoded is None:
            encoded = self._encode(self.as_seen(*key, self.customer(organization, ordinal)))
            if len(self._encoded) >= CACHED_ANSWERS:
                self._encoded.popitem(last=False)
            self._encoded[key] = encoded
        return encoded

    def put(self, organization: Organization, ordinal: int, customer: Customer) -> None:
        """Make `customer` the state of that ordinal.

        Raises IdentityTakenError, and changes nothing, when one of its identities belongs to someone else there.
        """
        identities = customer.identities()
        for kind, value in identities:
            if self.resolve(organization, kind, value) not in (None, ordinal):
                raise IdentityTakenError(f"The {kind} {value} belongs to another customer")
        self._forget(organization, ordinal)
        self._changed[organization.position, ordinal] = customer
        for kind, value in identities:
            self._identities[organization.position, kind, value] = ordinal
        for kind, value in customer.shared_identities():
            self._sharers.setdefault((organization.position, kind, value), set()).add(ordinal)

    def add(self, organization: Organization, customer: Customer) -> int:
        """Add a new customer and return their ordinal. Raises IdentityTakenError."""
        ordinal = self._next_ordinal
        self.put(organization, ordinal, customer)
        self._next_ordinal += 1
        self._added.setdefault(organization.position, []).append(ordinal)
        return ordinal

    def remove(self, organization: Organization, ordinal: int) -> None:
        """Make the organization forget a customer. Raises UnknownCustomerError."""
        self.customer(organization, ordinal)
        self._forget(organization, ordinal)
        self._changed[organization.position, ordinal] = None

    def new_customer(self, organization: Organization) -> Customer:
        """Return what a newly registered customer starts with: an empty bonus wallet, the categories for new guests, flags on."""
        program = organization.program
        return Customer(
            customer_id=str(uuid.uuid4()),
            wallets=(Wallet(program.wallet_id, program.wallet_name, BONUS, Decimal(0)),),
            categories=tuple(one for one in organization.categories if one.is_default_for_new_guests and one.is_active),
            program_id=program.program_id,
            program_name=program.name,
            receives_order_status=True,
            receives_promo=True,
            receives_loyalty=True,
            registered_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            registered_in=organization.organization_id,
        )

    def upsert(
        self,
        organization: Organization,
        changes: dict[str, object],
        *,
        customer_id: str | None,
        card: tuple[str, str] | None,
        unknown_seconds: float = 0,
    ) -> str:
        """Create or update a customer and return the id.

        The customer is found by id, else by the phone in `changes`, else by the card's track; `changes` are values by attribute of
        `Customer`, `card` a (track, number) to own afterwards. A new customer stays unknown to `seen` for `unknown_seconds`.
        Raises UnknownCustomerError for an id that no customer has, IdentityTakenError.
        """
        phone = changes.get("phone")
        if customer_id:
            ordinal = self.resolve(organization, "id", customer_id)
            if ordinal is None:
                raise UnknownCustomerError(f"There is no user with id {customer_id}")
        elif isinstance(phone, str):
            ordinal = self.resolve(organization, "phone", phone)
        else:
            ordinal = self.resolve(organization, "card", card[0]) if card else None
        known = None if ordinal is None else self.customer(organization, ordinal)
        customer = known.copy() if known else self.new_customer(organization)
        for attribute, value in changes.items():
            setattr(customer, attribute, value)
        if card and all(one.track != card[0] for one in customer.cards):
            customer.cards += (Card(str(uuid.uuid4()), card[0], card[1], None),)
        if ordinal is None:
            ordinal = self.add(organization, customer)
            if unknown_seconds:
                self._unknown_until[organization.position, ordinal] = self._clock() + unknown_seconds
        else:
            self.put(organization, ordinal, customer)
        return customer.customer_id

    def seen(self, organization: Organization, ordinal: int) -> bool:
        """Say whether look-ups find a customer yet."""
        if not self._unknown_until:
            return True
        until = self._unknown_until.get((organization.position, ordinal))
        if until is None or self._clock() < until:
            return until is None
        del self._unknown_until[organization.position, ordinal]
        return True

    def is_deleted(self, organization: Organization, ordinal: int) -> bool:
        """Say whether a customer was deleted (and not restored): they are kept, unlike those removed on the control path."""
        changed = self._changed.get((organization.position, ordinal))
        return changed is not None and changed.is_deleted

    def forget_answer(self, position: int, ordinal: int) -> None:
        """Write a customer's answer again the next time: what was held of their money has changed."""
        self._encoded.pop((position, ordinal), None)

    def forget_answers(self) -> None:
        """Write every answer again: the way to write them has changed."""
        self._encoded.clear()

    def page(self, organization: Organization, offset: int, limit: int) -> list[Customer]:
        """Return a page of the customers that the organization knows: the population's first, then those added."""
        born = self.population.member_count(organization)
        ordinals = self.population.members(organization, offset, limit)
        start = max(0, offset - born)
        ordinals += self._added.get(organization.position, [])[start : start + limit - len(ordinals)]
        return [
            self.customer(organization, ordinal)
            for ordinal in ordinals
            if self._changed.get((organization.position, ordinal), ...) is not None
        ]

    def places(self, organization: Organization) -> int:
        """Return how many places `page` walks over, those of removed customers included."""
        return self.population.member_count(organization) + len(self._added.get(organization.position, []))

    def count(self, organization: Organization) -> int:
        """Return how many customers the organization knows."""
        removed = sum(1 for key, one in self._changed.items() if one is None and key[0] == organization.position)
        return self.places(organization) - removed

    def coupon_series(self, organization: Organization) -> list[CouponSeries]:
        """Return the coupon series of an organization."""
        if organization.position not in self._series:
            self._series[organization.position] = self.population.coupon_series(organization)
        return self._series[organization.position]

    def put_coupon_series(self, organization: Organization, series: Iterable[CouponSeries]) -> None:
        """Make `series` all the coupon series of an organization."""
        self._series[organization.position] = list(series)

    def coupons(self, organization: Organization) -> dict[str, list[Coupon]]:
        """Return the coupons of an organization by number: several series may have a coupon of one number."""
        if organization.position not in self._coupons:
            coupons = self._coupons[organization.position] = {}
            for one in self.population.coupons(organization):
                coupons.setdefault(one.number, []).append(one)
        return self._coupons[organization.position]

    def put_coupon(self, organization: Organization, coupon: Coupon) -> None:
        """Add a coupon, or replace the one of that number and series."""
        same_number = self.coupons(organization).setdefault(coupon.number, [])
        same_number[:] = [one for one in same_number if one.series_id != coupon.series_id] + [coupon]

    def _forget(self, organization: Organization, ordinal: int) -> None:
        key = (organization.position, ordinal)
        self._encoded.pop(key, None)
        changed = self._changed.get(key)
        if changed is None:
            return
        for kind, value in changed.identities():
            self._identities.pop((organization.position, kind, value), None)
        for kind, value in changed.shared_identities():
            self._sharers[organization.position, kind, value].discard(ordinal)

    def _resolve_shared(self, organization: Organization, kind: IdentityKind, value: str) -> int | None:
        position = organization.position
        born = self.population.sharers(kind, value, organization)
        holders = {one for one in born if (position, one) not in self._changed}
        holders |= self._sharers.get((position, kind, value), set())
        return min(holders, default=None)
