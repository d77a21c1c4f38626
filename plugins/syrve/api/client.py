"""The client for single calls: one typed method an operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from syrve.api import decode
from syrve.api.config import SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.endpoints import COUPON_INFO, COUPON_SERIES, CREATE_OR_UPDATE, CUSTOMER_INFO, ORGANIZATIONS, Endpoint
from syrve.api.errors import MalformedAnswer, NotFound
from syrve.api.fields import BadField, FieldReader
from syrve.api.models import Coupon, Customer, CustomerChange, IdentityKind, Lookup, Organization, SeriesListing
from syrve.api.permits import Permits
from syrve.api.protocol import Backoff, CallStats
from syrve.api.transport import Transport

T = TypeVar("T")


class SyrveClient:
    """Speaks to one Syrve account; every method raises a `SyrveError` and none of them logs.

    Use it as a context manager. `permits` keeps the budget of calls, if there is one; `clock` and `sleep` are there for tests.
    """

    def __init__(
        self,
        config: SyrveConfig,
        *,
        on_token: Callable[[str], None] | None = None,
        permits: Permits | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config = config
        self._dialect = dialect_named(config.dialect)
        self._time_zone = ZoneInfo(config.time_zone)
        self._transport = Transport(
            config, self._dialect, on_token=on_token, permits=permits, backoff=backoff, clock=clock, sleep=sleep
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    @property
    def stats(self) -> CallStats:
        """What was sent so far: calls, retries, answers with 429."""
        return self._transport.stats

    def organizations(self) -> list[Organization]:
        """List the organizations that the login sees, or those of them that the connection names."""
        found = self._ask(ORGANIZATIONS, self._dialect.organizations(), decode.organizations)
        wanted = self.config.organization_ids
        return [each for each in found if not wanted or each.organization_id in wanted]

    def customer_by_phone(self, organization_id: str, phone: str) -> Customer:
        """Look a customer up by phone (E.164); raise `NotFound` if there is none."""
        return self._customer(organization_id, "phone", phone)

    def customer_by_id(self, organization_id: str, customer_id: str) -> Customer:
        """Look a customer up by id; raise `NotFound` if there is none."""
        return self._customer(organization_id, "id", customer_id)

    def customer_by_card(self, organization_id: str, card: str) -> Customer:
        """Look a customer up by card track or number; raise `NotFound` if there is none."""
        return self._customer(organization_id, "card", card)

    def create_or_update(self, organization_id: str, change: CustomerChange) -> str:
        """Create a customer by phone or change one by id; return the customer's id. Safe to repeat."""
        body = self._dialect.create_or_update(organization_id, change)
        return self._ask(CREATE_OR_UPDATE, body, _id_of)

    def coupons(self, organization_id: str, number: str) -> list[Coupon]:
        """Look up the coupons that have this number; an unknown number gives an empty list."""
        body = self._dialect.coupon_info(organization_id, number)
        try:
            return self._ask(COUPON_INFO, body, lambda answer: decode.coupons(answer, time_zone=self._time_zone))
        except NotFound:
            return []

    def coupon_series(self, organization_id: str) -> SeriesListing:
        """List all coupon series of an organization: a complete listing, or an error."""
        listings: Sequence[SeriesListing] = self._ask(
            COUPON_SERIES, self._dialect.coupon_series(organization_id), decode.series_listings
        )
        for listing in listings:
            if listing.organization_id == organization_id:
                return listing
        raise MalformedAnswer("the answer does not speak of the organization asked for", operation="coupon_series")

    def _customer(self, organization_id: str, kind: IdentityKind, value: str) -> Customer:
        body = self._dialect.customer_info(Lookup(organization_id, kind, value))
        return self._ask(CUSTOMER_INFO, body, lambda answer: decode.customer(answer, time_zone=self._time_zone))

    def _ask(self, endpoint: Endpoint, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        answer = self._transport.call(endpoint, body)
        try:
            return read(answer)
        except BadField as problem:
            raise MalformedAnswer(str(problem), operation=endpoint.operation) from None


def _id_of(answer: Any) -> str:
    if not isinstance(answer, Mapping):
        raise BadField("the answer is not an object")
    return FieldReader(answer, problems=[]).required_uuid("id")
