"""Turns the JSON of an answer into models, in either dialect's shape.

Reference document: Customer Information, Coupons; facts: sections 3, 4.1, 4.10. Wallets, cards and categories are all or nothing: one that
cannot be read makes the whole record unusable, because a list that is short of a wallet would look like a wallet that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from syrve.api import decode_cloud
from syrve.api.decode_clean import absent_lists, clean_customer, last_order, require_keys, sex_named, unmodelled
from syrve.api.fields import BadField, FieldReader
from syrve.api.models import (
    Card,
    Category,
    Coupon,
    CouponSeries,
    Customer,
    FieldProblem,
    Organization,
    SeriesListing,
    Sex,
    WalletBalance,
)
from syrve.errors import SyrveProviderError

T = TypeVar("T")

MAX_NAME_LENGTH = 200


def _refuse_constant(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON numbers")


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _fraction(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_STRICT = msgspec.json.Decoder(float_hook=Decimal)
_AGAIN = msgspec.json.Encoder(decimal_format="number")
_ESCAPED_QUOTE = b"\\u0022"


class RepeatedKey(SyrveProviderError, ValueError):
    """An object names a field twice, with different values: no parser's choice between them is what the sender meant."""


def parse_json(body: bytes) -> Any:
    """Parse a body keeping every number exact: whole ones as int, others as Decimal, those beyond what Python can hold as their text.

    Raises ValueError if it is not JSON, `RepeatedKey` if one object has a key twice with different values.
    """
    try:
        value = _STRICT.decode(body)
        if _has_every_text(value, body):
            return value
    except (msgspec.MsgspecError, ValueError, InvalidOperation, RecursionError):
        pass  # lone surrogates, numbers beyond measure, other encodings
    return _parse_tolerantly(body)


def _has_every_text(value: Any, body: bytes) -> bool:
    """Whether a parsed value written again has as many quotation marks as its body: the parser drops a key that stands twice in silence.

    Written so, a text has as many as before, except where the body writes one as a number; such a body is left to the other parser.
    """
    return body.count(b'"') == _AGAIN.encode(value).count(b'"') and _ESCAPED_QUOTE not in body


def _parse_tolerantly(body: bytes) -> Any:
    try:
        return json.loads(
            body,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and any(found[key] != value for key, value in pairs):
        raise RepeatedKey("an object names a field twice, with different values")
    return found


def organizations(answer: Any) -> list[Organization]:
    """Read the organizations of the login, each once; raise `BadField` if the answer has no list of them."""
    reader = _reader(answer, [])
    found: dict[str, Organization] = {}
    for index, item in enumerate(reader.objects("organizations")):
        each = FieldReader(item, path=f"organizations[{index}]", problems=[])
        organization_id = each.required_uuid("id")
        found.setdefault(organization_id, Organization(organization_id, one_line(each.text("name"))))
    return list(found.values())


def one_line(name: str | None) -> str | None:
    """Return the name of an organization for logs, questions and Airflow's index of a mapped task, which holds 250 characters."""
    visible = "".join(each if each.isprintable() else " " for each in (name or "")[: 2 * MAX_NAME_LENGTH])
    return " ".join(visible.split())[:MAX_NAME_LENGTH].rstrip() or None


def customer(answer: Any, *, time_zone: tzinfo) -> Customer:
    """Read one customer with wallets, cards and categories; raise `BadField` if the record cannot be trusted."""
    return clean_customer(answer, time_zone) or tolerant_customer(answer, time_zone)


def tolerant_customer(answer: Any, time_zone: tzinfo) -> Customer:
    """Read one customer field by field, putting right and noting what is not as it should be; raise `BadField`."""
    problems: list[FieldProblem] = []
    reader = _reader(answer, problems, time_zone)
    order_status = "shouldReceiveOrderStatusNotifications"
    if order_status not in reader.record:
        order_status = "shouldReceiveOrderStatusInfo"
    read = Customer(
        customer_id=reader.required_uuid("id"),
        phone=reader.text("phone"),
        email=reader.text("email"),
        name=reader.text("name"),
        surname=reader.text("surname"),
        middle_name=reader.text("middleName"),
        birthday=reader.day("birthday"),
        sex=_sex(reader),
        referrer_id=reader.uuid("referrerId"),
        program_id=reader.uuid("programId"),
        program_name=reader.text("programName"),
        receives_order_status=reader.boolean(order_status),
        receives_promo=reader.boolean("shouldReceivePromoActionsInfo"),
        consent_from=reader.moment(_either(reader, "personalDataProcessingConsentFrom", "personalDataConsentFrom")),
        consent_to=reader.moment(_either(reader, "personalDataProcessingConsentTo", "personalDataConsentTo")),
        is_deleted=bool(reader.boolean("isDeleted")),
        wallets=_children(reader, "walletBalances", _wallet, lambda wallet: wallet.wallet_id),
        cards=_children(reader, "cards", _card, lambda card: card.card_id),
        categories=_children(reader, "categories", _category, lambda category: category.category_id),
        extra=_extra(reader),
        absent=absent_lists(reader.record),
        problems=tuple(problems),
        last_order_at=last_order(reader.record, time_zone),
    )
    require_keys(reader.record)  # last: what is there and can't be read says more than what is not there
    return read


def series_listing(answer: Any, *, organization_id: str) -> SeriesListing:
    """Read all coupon series of one organization, in either dialect's shape; raise `BadField` if the answer does not list them."""
    reader = _reader(answer, [])
    if "seriesWithNotActivatedCoupons" in reader.record:
        return decode_cloud.series_with_coupons_left(answer, organization_id)
    if not isinstance(reader.record.get("couponSeries"), list):
        raise BadField("couponSeries is not a list")
    for index, item in enumerate(reader.objects("couponSeries")):
        problems: list[FieldProblem] = []
        each = FieldReader(item, path=f"couponSeries[{index}]", problems=problems)
        if each.required_uuid("organizationId") == organization_id:
            if not isinstance(each.record.get("items"), list):
                raise BadField(f"{each.at('items')} is not a list")
            series = _children(each, "items", _series, lambda one: one.series_id)
            return SeriesListing(organization_id, series, tuple(problems))
    raise BadField("the answer does not speak of the organization asked for")


def id_of(answer: Any) -> str:
    """Read the id that a create or update gave."""
    return _reader(answer, []).required_uuid("id")


def coupons(answer: Any, *, time_zone: tzinfo) -> list[Coupon]:
    """Read the coupons under a number: one object (reference) or an array (live service); none gives an empty list."""
    reader = _reader(answer, [], time_zone)
    found = reader.record.get("couponInfo")
    items = found if isinstance(found, list) else [found] if found is not None else []
    for item in items:
        if not isinstance(item, Mapping):
            raise BadField("couponInfo is not an object")
    return [_coupon(FieldReader(item, path="couponInfo", time_zone=time_zone, problems=[])) for item in items]


def _coupon(reader: FieldReader) -> Coupon:
    number = reader.text("number")
    if number is None:
        raise BadField("couponInfo.number is missing")
    activated_at = reader.moment("whenActivated")
    is_used = reader.boolean("isUsed")
    says_when = (
        "isUsed" not in reader.record and not reader.problems
    )  # the live service tells a used coupon by its time alone
    return Coupon(
        number=number,
        coupon_id=reader.uuid("id"),
        series_id=reader.uuid("seriesId"),
        series_name=reader.text("seriesName"),
        is_used=activated_at is not None if is_used is None and says_when else is_used,
        activated_at=activated_at,
        activated_by=reader.text("activatedBy"),
        not_after=reader.moment("notAfterDateBecomesApplied"),
        is_deleted=bool(reader.boolean("isDeleted")),
        problems=tuple(reader.problems),
    )


def _reader(answer: Any, problems: list[FieldProblem], time_zone: tzinfo | None = None) -> FieldReader:
    if not isinstance(answer, Mapping):
        raise BadField("the answer is not an object")
    if time_zone is None:
        return FieldReader(answer, problems=problems)
    return FieldReader(answer, time_zone=time_zone, problems=problems)


def _either(reader: FieldReader, first: str, second: str) -> str:
    return first if first in reader.record else second


def _sex(reader: FieldReader) -> Sex | None:
    value = reader.record.get("sex")
    if value is None or value == "":
        return None
    sex = sex_named(value)
    if sex is None:
        reader.note("sex", "is none of the known values", lossy=True, value=value)
    return sex


def _children(
    reader: FieldReader, name: str, read: Callable[[FieldReader], T], key: Callable[[T], str]
) -> tuple[T, ...]:
    found: dict[str, T] = {}
    for index, item in enumerate(reader.objects(name)):
        path = f"{reader.at(name)}[{index}]"
        child = read(FieldReader(item, path=path, time_zone=reader.time_zone, problems=reader.problems))
        known = found.setdefault(key(child), child)
        if known is not child:
            if known != child:
                raise BadField(f"{path} repeats an id with other content")
            reader.note(name, "has a repeated element, taken once", lossy=False)
    return tuple(found[each] for each in sorted(found))


def _wallet(reader: FieldReader) -> WalletBalance:
    return WalletBalance(
        reader.required_uuid("id"), reader.text("name"), reader.integer("type"), reader.money("balance")
    )


def _card(reader: FieldReader) -> Card:
    return Card(reader.required_uuid("id"), reader.text("track"), reader.text("number"), reader.moment("validToDate"))


def _category(reader: FieldReader) -> Category:
    return Category(
        reader.required_uuid("id"),
        reader.text("name"),
        reader.boolean("isActive"),
        reader.boolean("isDefaultForNewGuests"),
    )


def _series(reader: FieldReader) -> CouponSeries:
    return CouponSeries(
        series_id=reader.required_uuid("id"),
        name=reader.text("name"),
        is_activated=reader.boolean("isActivated"),
        discount_type=reader.text("discountType"),
        discount_value=reader.optional_number("discountValue"),
    )


def _extra(reader: FieldReader) -> dict[str, Any]:
    try:
        return unmodelled(reader.record)
    except ValueError:
        raise BadField("a field that we do not know is nested too deeply") from None
