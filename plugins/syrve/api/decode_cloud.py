"""Reads the answers that only the live service gives: programmes, categories, coupons by series, transactions.

Facts: sections 4.3 to 4.11. Times of transactions are UTC, independent of the connection's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syrve.api.fields import BadField, FieldReader
from syrve.api.models import (
    Category,
    Coupon,
    CouponSeries,
    CustomersChanged,
    FieldProblem,
    OrderPage,
    Program,
    ProgramMembership,
    SeriesListing,
    Transaction,
    WebhookSettings,
)


def reader_of(answer: Any, problems: list[FieldProblem] | None = None) -> FieldReader:
    """Return a reader of an answer that must be an object; raise `BadField`."""
    if not isinstance(answer, Mapping):
        raise BadField("the answer is not an object")
    return FieldReader(answer, problems=[] if problems is None else problems)


def listed(answer: Any, name: str) -> list[FieldReader]:
    """Return a reader for each object of a list that the answer must have; raise `BadField`."""
    reader = reader_of(answer)
    if not isinstance(reader.record.get(name), list):
        raise BadField(f"{name} is not a list")
    return [FieldReader(item, path=f"{name}[{index}]", problems=[]) for index, item in enumerate(reader.objects(name))]


def program_membership(answer: Any) -> ProgramMembership:
    """Read what joining a programme gave."""
    reader = reader_of(answer)
    return ProgramMembership(reader.uuid("userWalletId"), reader.uuid("walletId"))


def hold_id(answer: Any) -> str:
    """Read the id of a hold."""
    return reader_of(answer).required_uuid("transactionId")


def categories(answer: Any) -> list[Category]:
    """Read the guest categories of an organization."""
    return [
        Category(
            each.required_uuid("id"),
            each.text("name"),
            each.boolean("isActive"),
            each.boolean("isDefaultForNewGuests"),
        )
        for each in listed(answer, "guestCategories")
    ]


def programs(answer: Any) -> list[Program]:
    """Read the programmes of an organization; the service spells the list with a capital P."""
    name = "Programs" if isinstance(answer, Mapping) and "Programs" in answer else "programs"
    return [
        Program(
            program_id=each.required_uuid("id"),
            name=each.text("name"),
            type=each.integer("programType"),
            wallet_id=each.uuid("walletId"),
            is_active=each.boolean("isActive"),
            service_from=each.moment("serviceFrom"),
            service_to=each.moment("serviceTo"),
        )
        for each in listed(answer, name)
    ]


def series_with_coupons_left(answer: Any, organization_id: str) -> SeriesListing:
    """Read the series that still hold coupons; the service tells their text name as `number` and nothing of their discount."""
    found = [
        CouponSeries(each.required_uuid("id"), each.text("number"))
        for each in listed(answer, "seriesWithNotActivatedCoupons")
    ]
    return SeriesListing(organization_id, tuple(found))


def coupons_of_series(answer: Any) -> list[Coupon]:
    """Read a page of the coupons of a series: none of them has been used."""
    found = []
    for each in listed(answer, "notActivatedCoupon"):
        number = each.text("number")
        if number is None:
            raise BadField(f"{each.at('number')} is missing")
        found.append(
            Coupon(
                number=number,
                coupon_id=each.uuid("id"),
                series_id=each.uuid("seriesId"),
                series_name=each.text("seriesName"),
                is_used=False,
                activated_at=None,
                activated_by=None,
                not_after=None,
            )
        )
    return found


def transactions(answer: Any) -> list[Transaction]:
    """Read a page of a customer's transactions."""
    return [_transaction(each) for each in listed(answer, "transactions")]


def _transaction(reader: FieldReader) -> Transaction:
    revision = reader.optional_number("revision")
    if revision is None or revision != revision.to_integral_value():
        raise BadField(f"{reader.at('revision')} is not a whole number")
    return Transaction(
        transaction_id=reader.required_uuid("id"),
        revision=int(revision),
        type=reader.integer("type"),
        type_name=reader.text("typeName"),
        amount=reader.optional_number("sum"),
        balance_before=reader.optional_number("balanceBefore"),
        balance_after=reader.optional_number("balanceAfter"),
        wallet_id=reader.uuid("walletId"),
        program_id=reader.uuid("programId"),
        comment=reader.text("comment"),
        api_client_login=reader.text("apiClientLogin"),
        created_at=reader.moment("whenCreated"),
        order_number=reader.integer("orderNumber"),
        order_sum=reader.optional_number("orderSum"),
        pos_order_id=reader.uuid("posOrderId"),
    )


def customers_changed(answer: Any, name: str) -> CustomersChanged:
    """Read how many customers were `deleted` or `restored`."""
    reader = reader_of(answer)
    return CustomersChanged(reader.integer("total"), reader.integer(name), reader.integer("notFound"))


def order_page(answer: Any) -> OrderPage:
    """Read a page of the order feed: the orders as they came, each with its organization, and the newest revision, if it can be one."""
    reader = reader_of(answer)
    orders = []
    for each in listed(answer, "ordersByOrganizations"):
        organization_id = each.required_uuid("organizationId")
        orders += [(organization_id, order) for order in each.objects("orders")]
    revision = reader.optional_number("maxRevision")
    is_one = revision is not None and 0 <= revision < 2**63 and revision == revision.to_integral_value()
    return OrderPage(int(revision) if revision is not None and is_one else None, tuple(orders))


def webhook_settings(answer: Any) -> WebhookSettings:
    """Read the webhook settings of an organization; the token is a secret.

    Raises `BadField` if what others have set cannot be read: taken for nothing, it would be overwritten.
    """
    record = reader_of(answer).record
    if not any(name in record for name in ("webHooksUri", "webHooksFilter", "authToken")):
        raise BadField("the answer has neither webHooksUri nor webHooksFilter, so it is not known what is set")
    found = record.get("webHooksFilter")
    if found is not None and not isinstance(found, Mapping):
        raise BadField("webHooksFilter is not an object, and what others have set in it would be lost")
    return WebhookSettings(_text_or_none(record, "webHooksUri"), dict(found or {}), _text_or_none(record, "authToken"))


def _text_or_none(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadField(f"{name} is not text, so it is not known what is set")
    return value or None
