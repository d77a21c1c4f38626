"""The deterministic population: everything that exists before anyone changes it, computed on demand from the seed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from syrve_simulator.model import Coupon, CouponSeries, Customer, IdentityKind, Organization
from syrve_simulator.population.coupons import build_coupons, build_series
from syrve_simulator.population.customers import SHORT_NUMBER_DIGITS, CustomerBuilder, ordinal_in_email
from syrve_simulator.population.identity import TRACK_DIGITS, Draw, Identities
from syrve_simulator.population.organizations import build_organization


class Population:
    """Customers, organizations and coupons by seed; the same seed gives the same values for the same ordinal, however many there are.

    `with_history` adds what only the cloud dialect tells: comments, consent in full, registration and orders.
    """

    def __init__(self, *, seed: int, customers: int, organizations: int, with_history: bool = False) -> None:
        self._draw = Draw(seed)
        self._identities = Identities(self._draw, customers, organizations)
        self._builder = CustomerBuilder(self._draw, self._identities, with_history=with_history)
        self.customers = customers
        self.organizations = tuple(build_organization(self._draw, position) for position in range(organizations))
        self.guests_of = cache(self._identities.guests_of)

    def ordinal(self, kind: IdentityKind, value: str) -> int | None:
        """Return who was born with this phone, id or card track (in canonical form), or None."""
        if kind == "phone":
            return self._identities.by_phone(value)
        if kind == "id":
            return self._identities.by_id(value)
        holder = self._identities.by_track(value)
        return holder[0] if holder and holder[1] < self._builder.card_count(holder[0]) else None

    def sharers(self, kind: IdentityKind, value: str, organization: Organization) -> list[int]:
        """Return all customers of the organization who was born with this e-mail or card number (in canonical form)."""
        candidates: Iterable[int | None] = ()
        if kind == "email":
            candidates = [ordinal_in_email(value)]
        elif len(value) in {TRACK_DIGITS, SHORT_NUMBER_DIGITS}:
            candidates = self._identities.by_track_ending(value)
        return sorted(
            ordinal
            for ordinal in set(candidates)
            if ordinal is not None
            and self.lives_in(ordinal, organization)
            and (kind, value) in self.customer(ordinal, organization).shared_identities()
        )

    def lives_in(self, ordinal: int, organization: Organization) -> bool:
        """Say whether the organization knows the customer."""
        return ordinal < self.customers and self._identities.lives_in(ordinal, organization.position)

    def members(self, organization: Organization, offset: int, limit: int) -> list[int]:
        """Return a page of an organization's customers: those at home there first, then guests from another one."""
        at_home = self._identities.at_home_in(organization.position)
        page = list(at_home[offset : offset + limit])
        skipped = max(0, offset - len(at_home))
        return page + self.guests_of(organization.position)[skipped : skipped + limit - len(page)]

    def member_count(self, organization: Organization) -> int:
        """Return how many customers an organization knows."""
        return len(self._identities.at_home_in(organization.position)) + len(self.guests_of(organization.position))

    def customer(self, ordinal: int, organization: Organization) -> Customer:
        """Return a customer as an organization sees them."""
        return self._builder.customer(ordinal, organization)

    def coupon_series(self, organization: Organization) -> list[CouponSeries]:
        """Return the coupon series of an organization."""
        return build_series(self._draw, organization)

    def coupons(self, organization: Organization) -> list[Coupon]:
        """Return the coupons of an organization."""
        return build_coupons(self._draw, organization)
