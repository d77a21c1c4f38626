"""The client for single calls: one typed method per operation, the same under both dialects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import requests

from syrve.api import decode, decode_cloud, endpoints
from syrve.api.config import OnWait, SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.endpoints import Endpoint
from syrve.api.errors import ConfigurationError, MalformedAnswer, NotFound, OutcomeUnknown
from syrve.api.fields import BadField
from syrve.api.models import (
    Category,
    Coupon,
    Customer,
    CustomerChange,
    CustomersChanged,
    Lookup,
    LookupKind,
    OrderPage,
    Organization,
    Program,
    ProgramMembership,
    SeriesListing,
    Transaction,
    WebhookSettings,
)
from syrve.api.permits import Permits
from syrve.api.protocol import Backoff, CallStats
from syrve.api.transports.blocking import BlockingTransport

T = TypeVar("T")
PAGE_SIZE = 200
MAX_PAGES = 1_000


class SyrveClient:
    """Speaks to one Syrve account; every method raises a `SyrveError` and none of them logs.

    Use it as a context manager. `permits` keeps the budget of calls, if there is one; `keeps_connection` is off if money is moved (see
    `BlockingTransport`), which also calls `on_wait`; `session` brings other adapters, and is closed with the client; `clock` and
    `sleep` are there for tests. What the dialect does not offer raises `UnsupportedByDialect` before any call.
    """

    def __init__(
        self,
        config: SyrveConfig,
        *,
        on_token: Callable[[str], None] | None = None,
        permits: Permits | None = None,
        on_wait: OnWait | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        keeps_connection: bool = True,
        session: requests.Session | None = None,
    ) -> None:
        self.config = config
        self._dialect = dialect_named(config.dialect)
        self._time_zone = ZoneInfo(config.time_zone)
        self._transport = BlockingTransport(
            config,
            self._dialect,
            on_token=on_token,
            permits=permits,
            on_wait=on_wait,
            backoff=backoff,
            clock=clock,
            sleep=sleep,
            keeps_connection=keeps_connection,
            session=session,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def stats(self) -> CallStats:
        """What the present thread has sent so far: calls, retries, answers with 429; and the last answer's correlation id."""
        return self._transport.stats

    def organizations(self) -> list[Organization]:
        """List the organizations that the login sees, or those of them that the connection names."""
        found = self._ask(endpoints.ORGANIZATIONS, decode.organizations)
        wanted = self.config.organization_ids
        return [each for each in found if not wanted or each.organization_id in wanted]

    def customer_by_phone(self, organization_id: str, phone: str) -> Customer:
        """Look a customer up by phone (E.164); raise `NotFound` if there is none."""
        return self._customer(organization_id, "phone", phone)

    def customer_by_id(self, organization_id: str, customer_id: str) -> Customer:
        """Look a customer up by id; raise `NotFound` if there is none."""
        return self._customer(organization_id, "id", customer_id)

    def customer_by_card(self, organization_id: str, card: str) -> Customer:
        """Look a customer up by card track; raise `NotFound` if there is none."""
        return self._customer(organization_id, "card", card)

    def customer_by_email(self, organization_id: str, email: str) -> Customer:
        """Look a customer up by e-mail address (live service only); raise `NotFound` if there is none."""
        return self._customer(organization_id, "email", email)

    def create_or_update(self, organization_id: str, change: CustomerChange) -> str:
        """Create a customer by phone or change one by id; return the customer's id. Safe to repeat."""
        return self._ask(endpoints.CREATE_OR_UPDATE, decode.id_of, organization_id, change)

    def delete_customers(self, organization_id: str, customer_ids: Sequence[str]) -> CustomersChanged:
        """Mark customers deleted (live service only)."""
        read = partial(decode_cloud.customers_changed, name="deleted")
        return self._ask(endpoints.DELETE_CUSTOMERS, read, organization_id, customer_ids)

    def restore_customers(self, organization_id: str, customer_ids: Sequence[str]) -> CustomersChanged:
        """Take the mark of deletion back (live service only)."""
        read = partial(decode_cloud.customers_changed, name="restored")
        return self._ask(endpoints.RESTORE_CUSTOMERS, read, organization_id, customer_ids)

    def add_to_program(self, organization_id: str, customer_id: str, program_id: str) -> ProgramMembership:
        """Put a customer into a programme."""
        read = decode_cloud.program_membership
        return self._ask(endpoints.PROGRAM_ADD, read, organization_id, customer_id, program_id)

    def add_card(self, organization_id: str, customer_id: str, track: str, number: str) -> None:
        """Give a customer a card."""
        self._ask(endpoints.CARD_ADD, _done, organization_id, customer_id, track, number)

    def remove_card(self, organization_id: str, customer_id: str, track: str) -> None:
        """Take a card from a customer."""
        self._ask(endpoints.CARD_REMOVE, _done, organization_id, customer_id, track)

    def add_to_category(self, organization_id: str, customer_id: str, category_id: str) -> None:
        """Put a customer into a guest category."""
        self._ask(endpoints.CATEGORY_ADD, _done, organization_id, customer_id, category_id)

    def remove_from_category(self, organization_id: str, customer_id: str, category_id: str) -> None:
        """Take a customer out of a guest category (live service only)."""
        self._ask(endpoints.CATEGORY_REMOVE, _done, organization_id, customer_id, category_id)

    def categories(self, organization_id: str) -> list[Category]:
        """List the guest categories of an organization (live service only)."""
        return self._ask(endpoints.CATEGORY_LIST, decode_cloud.categories, organization_id)

    def programs(self, organization_id: str) -> list[Program]:
        """List the programmes of an organization (live service only)."""
        return self._ask(endpoints.PROGRAM_LIST, decode_cloud.programs, organization_id)

    def hold(
        self,
        organization_id: str,
        customer_id: str,
        wallet_id: str,
        amount: Decimal,
        *,
        comment: str | None = None,
        hold_id: str | None = None,
    ) -> str:
        """Reserve money and return the hold's id; sent once, raises `OutcomeUnknown` if the outcome is unknown.

        Only the live service takes a `hold_id` of the caller's choice.
        """
        where = (organization_id, customer_id, wallet_id, _positive(amount, "wallet_hold"))
        return self._ask(endpoints.WALLET_HOLD, decode_cloud.hold_id, *where, comment, hold_id)

    def cancel_hold(self, organization_id: str, hold_id: str) -> None:
        """Cancel a hold; sent once, raises `OutcomeUnknown` if the outcome is unknown."""
        self._ask(endpoints.WALLET_CANCEL_HOLD, _done, organization_id, hold_id)

    def topup(
        self, organization_id: str, customer_id: str, wallet_id: str, amount: Decimal, *, comment: str | None = None
    ) -> None:
        """Add money to a wallet; sent once, raises `OutcomeUnknown` if the outcome is unknown."""
        where = (organization_id, customer_id, wallet_id, _positive(amount, "wallet_topup"))
        self._ask(endpoints.WALLET_TOPUP, _done, *where, comment)

    def chargeoff(
        self, organization_id: str, customer_id: str, wallet_id: str, amount: Decimal, *, comment: str | None = None
    ) -> None:
        """Take money from a wallet; sent once, raises `OutcomeUnknown` if the outcome is unknown."""
        where = (organization_id, customer_id, wallet_id, _positive(amount, "wallet_chargeoff"))
        self._ask(endpoints.WALLET_CHARGEOFF, _done, *where, comment)

    def coupons(self, organization_id: str, number: str) -> list[Coupon]:
        """Look up the coupons that have this number; an unknown number gives an empty list."""
        read = partial(decode.coupons, time_zone=self._time_zone)
        try:
            return self._ask(endpoints.COUPON_INFO, read, organization_id, number)
        except NotFound:
            return []

    def coupon_series(self, organization_id: str) -> SeriesListing:
        """List all coupon series of an organization: a complete listing, or an error."""
        read = partial(decode.series_listing, organization_id=organization_id)
        return self._ask(endpoints.COUPON_SERIES, read, organization_id)

    def coupons_by_series(self, organization_id: str, series: str) -> Iterator[Coupon]:
        """Go through the unused coupons of a series, by its text name, page by page (live service only)."""
        read = decode_cloud.coupons_of_series
        where = (organization_id, series)
        return self._pages(
            lambda page: self._ask(endpoints.COUPONS_BY_SERIES, read, *where, page, PAGE_SIZE),
            endpoints.COUPONS_BY_SERIES,
        )

    def transactions_by_date(
        self, organization_id: str, customer_id: str, since: datetime, until: datetime
    ) -> Iterator[Transaction]:
        """Go through a customer's transactions between two moments, both included, page by page (live service only)."""
        read = decode_cloud.transactions
        where = (organization_id, customer_id, since, until)
        return self._pages(
            lambda page: self._ask(endpoints.TRANSACTIONS_BY_DATE, read, *where, page, PAGE_SIZE),
            endpoints.TRANSACTIONS_BY_DATE,
        )

    def transactions_by_revision(
        self, organization_id: str, customer_id: str, revision: int | None = None
    ) -> Iterator[Transaction]:
        """Go through a customer's transactions after a revision, in its order, page by page (live service only)."""
        last: str | None = None
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            read = decode_cloud.transactions
            where = (organization_id, customer_id, revision, last, PAGE_SIZE)
            page = self._ask(endpoints.TRANSACTIONS_BY_REVISION, read, *where)
            fresh = [each for each in page if each.transaction_id not in seen]
            yield from fresh
            if not fresh:
                return
            seen.update(each.transaction_id for each in fresh)
            newest = max(fresh, key=lambda each: each.revision)
            revision, last = newest.revision, newest.transaction_id

    def orders_by_revision(self, organization_id: str, revision: int) -> OrderPage:
        """Read the orders that changed since a revision, which may be about three hours old at most (live service only)."""
        return self._ask(endpoints.ORDERS_BY_REVISION, decode_cloud.order_page, organization_id, revision)

    def orders_by_date(self, organization_id: str, since: datetime, until: datetime) -> OrderPage:
        """Read the orders due between two moments of the restaurant's clock, `since` before `until` (live service only)."""
        if since >= until:
            raise ConfigurationError("the window of orders is empty", operation="orders_by_date")
        return self._ask(endpoints.ORDERS_BY_DATE, decode_cloud.order_page, organization_id, since, until)

    def webhook_settings(self, organization_id: str) -> WebhookSettings:
        """Read where webhooks of an organization go, and which (live service only)."""
        return self._ask(endpoints.WEBHOOK_SETTINGS, decode_cloud.webhook_settings, organization_id)

    def update_webhook_settings(
        self, organization_id: str, uri: str, secret: str | None, webhook_filter: Mapping[str, Any] | None
    ) -> None:
        """Set where webhooks of an organization go, and which; what the filter leaves out ends (live service only)."""
        self._ask(endpoints.WEBHOOK_UPDATE, _done, organization_id, uri, secret, webhook_filter)

    def _customer(self, organization_id: str, kind: LookupKind, value: str) -> Customer:
        read = partial(decode.customer, time_zone=self._time_zone)
        return self._ask(endpoints.CUSTOMER_INFO, read, Lookup(organization_id, kind, value))

    def _pages(self, page_of: Callable[[int], Sequence[T]], endpoint: Endpoint) -> Iterator[T]:
        """Give what the pages hold, each once, up to an empty page; raise `MalformedAnswer` if they bring nothing new or never end.

        One page may bring nothing new: what was added in between moves the others. Rows that differ are two, under one id too: a service
        that carries a call out twice may report both under its id.
        """
        seen: set[T] = set()
        is_repeated = False
        for page in range(MAX_PAGES):
            found = page_of(page)
            if not found:
                return
            fresh = dict.fromkeys(each for each in found if each not in seen)
            if is_repeated and not fresh:
                break
            is_repeated = not fresh
            seen.update(fresh)
            yield from fresh
        raise MalformedAnswer("its pages repeat each other, or never end", operation=endpoint.operation)

    def _ask(self, endpoint: Endpoint, read: Callable[[Any], T], *question: Any) -> T:
        answer = self._transport.call(endpoint, self._dialect.body(endpoint.operation, *question))
        try:
            return read(answer)
        except BadField as problem:
            if endpoint.safety is endpoints.Safety.MONEY:
                raise _unread_money(endpoint) from None
            raise MalformedAnswer(str(problem), operation=endpoint.operation) from None


def _unread_money(endpoint: Endpoint) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the call went through, but its answer cannot be read; settle it by evidence, do not send it again",
        operation=endpoint.operation,
    )


def _done(answer: Any) -> None:
    """Accept any answer of a call that only says that it succeeded."""


def _positive(amount: Decimal, operation: str) -> Decimal:
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount <= 0:
        raise ConfigurationError("the amount must be a Decimal greater than zero", operation=operation)
    return amount
