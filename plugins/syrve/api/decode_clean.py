"""Reads a customer record in which nothing has to be put right, as nearly all are, several times faster than field by field.

`msgspec` checks the types of the whole record at once. Everything that is not exactly as described here (a number as text, an id in
capitals, an impossible date, a repeated child) is left to the tolerant reading of `decode.customer`, which alone knows what to make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from operator import attrgetter
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from syrve.api.fields import MAX_TEXT_LENGTH, BadField, calendar_day, exact_number, is_no_date, utc_moment
from syrve.api.models import Card, Category, Customer, Sex, WalletBalance
from syrve.identifiers import UUID_PATTERN
from syrve.values import storable_json, storable_text

_Uuid = Annotated[str, Meta(pattern=rf"^{UUID_PATTERN}\Z")]
_UuidOrEmpty = Annotated[str, Meta(pattern=rf"^({UUID_PATTERN})?\Z")]
_Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
_SmallInt = Annotated[int, Meta(gt=-(2**31), lt=2**31)]


class _Wallet(msgspec.Struct, rename="camel", gc=False):
    id: _Uuid
    balance: Any
    name: _Text | None = None
    type: _SmallInt | None = None


class _Card(msgspec.Struct, rename="camel", gc=False):
    id: _Uuid
    track: _Text | None = None
    number: _Text | None = None
    valid_to_date: str | None = None


class _Category(msgspec.Struct, rename="camel", gc=False):
    id: _Uuid
    name: _Text | None = None
    is_active: bool | None = None
    is_default_for_new_guests: bool | None = None


class _Record(msgspec.Struct, rename="camel", gc=False):
    """Every field that we model, as either dialect names it."""

    id: _Uuid
    phone: _Text | None = None
    email: _Text | None = None
    name: _Text | None = None
    surname: _Text | None = None
    middle_name: _Text | None = None
    birthday: str | None = None
    sex: int | str | None = None
    referrer_id: _UuidOrEmpty | None = None
    program_id: _UuidOrEmpty | None = None
    program_name: _Text | None = None
    should_receive_order_status_notifications: bool | None = None
    should_receive_order_status_info: bool | None = None
    should_receive_promo_actions_info: bool | None = None
    personal_data_processing_consent_from: str | None = None
    personal_data_processing_consent_to: str | None = None
    personal_data_consent_from: str | None = None
    personal_data_consent_to: str | None = None
    is_deleted: bool | None = None
    wallet_balances: list[_Wallet] | None = None
    cards: list[_Card] | None = None
    categories: list[_Category] | None = None


_MODELLED = frozenset(_Record.__struct_encode_fields__) | {"correlationId"}
CHILD_LISTS = ("walletBalances", "cards", "categories")
ALWAYS_GIVEN = (
    "name", "surname", "middleName", "phone", "email", "birthday", "sex", "referrerId", "shouldReceivePromoActionsInfo",
)  # fmt: skip
"""Keys that every answer about a customer has in either dialect, null where there is nothing."""
_ALWAYS_GIVEN = frozenset(ALWAYS_GIVEN)
_SEXES: dict[str, Sex] = {
    "male": "male",
    "1": "male",
    "female": "female",
    "2": "female",
    "notspecified": "not_specified",
    "not_specified": "not_specified",
    "0": "not_specified",
}
Child = TypeVar("Child", _Wallet, _Card, _Category)
_ID = attrgetter("id")


def clean_customer(answer: Any, time_zone: tzinfo) -> Customer | None:
    """Return the customer of a record that is exactly as it should be; None if the record has to be read tolerantly."""
    try:
        return _customer(msgspec.convert(answer, _Record), answer, time_zone)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None


def sex_named(value: Any) -> Sex | None:
    """Return the sex that a word or number means in either dialect; None if it is none of the known ones."""
    return _SEXES.get(str(value).strip().lower())


def unmodelled(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have no place in the model, as Postgres can hold them; raise ValueError for one nested too deeply."""
    return storable_json({key: value for key, value in record.items() if key not in _MODELLED})  # type: ignore[no-any-return]


def require_keys(record: Mapping[str, Any]) -> None:
    """Raise `BadField` if a record lacks a key that every answer has: what it does not speak of is not known to be empty.

    Of a deleted customer nothing but the id need be said: no answer about one is documented.
    """
    if record.keys() >= _ALWAYS_GIVEN or record.get("isDeleted") is True:
        return
    lacking = [name for name in ALWAYS_GIVEN if name not in record]
    raise BadField(f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")


def absent_lists(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the lists of children that a record does not have, or has as null."""
    return tuple([name for name in CHILD_LISTS if record.get(name) is None])


def last_order(record: Mapping[str, Any], time_zone: tzinfo) -> datetime | None:
    """Return when a customer last ordered, which says how often to look; None if the record has no time for it."""
    text = record.get("lastProcessedOrderDate")
    try:
        return _moment(text, time_zone) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _customer(read: _Record, record: Mapping[str, Any], time_zone: tzinfo) -> Customer:
    require_keys(record)
    order_status = read.should_receive_order_status_notifications
    if "shouldReceiveOrderStatusNotifications" not in record:
        order_status = read.should_receive_order_status_info
    consent_from = read.personal_data_processing_consent_from
    if "personalDataProcessingConsentFrom" not in record:
        consent_from = read.personal_data_consent_from
    consent_to = read.personal_data_processing_consent_to
    if "personalDataProcessingConsentTo" not in record:
        consent_to = read.personal_data_consent_to
    return Customer(
        customer_id=read.id,
        phone=_text(read.phone),
        email=_text(read.email),
        name=_text(read.name),
        surname=_text(read.surname),
        middle_name=_text(read.middle_name),
        birthday=_day(read.birthday),
        sex=_sex(read.sex),
        referrer_id=read.referrer_id or None,
        program_id=read.program_id or None,
        program_name=_text(read.program_name),
        receives_order_status=order_status,
        receives_promo=read.should_receive_promo_actions_info,
        consent_from=_moment(consent_from, time_zone),
        consent_to=_moment(consent_to, time_zone),
        is_deleted=bool(read.is_deleted),
        wallets=_wallets(read),
        cards=_cards(read, time_zone),
        categories=_categories(read),
        extra=unmodelled(record),
        absent=absent_lists(record),
        last_order_at=last_order(record, time_zone),
    )


def _wallets(read: _Record) -> tuple[WalletBalance, ...]:
    return tuple(
        [
            WalletBalance(each.id, _text(each.name), each.type, _balance(each.balance))
            for each in _in_order(read.wallet_balances)
        ]
    )


def _cards(read: _Record, time_zone: tzinfo) -> tuple[Card, ...]:
    return tuple(
        [
            Card(each.id, _text(each.track), _text(each.number), _moment(each.valid_to_date, time_zone))
            for each in _in_order(read.cards)
        ]
    )


def _categories(read: _Record) -> tuple[Category, ...]:
    return tuple(
        [
            Category(each.id, _text(each.name), each.is_active, each.is_default_for_new_guests)
            for each in _in_order(read.categories)
        ]
    )


def _day(text: str | None) -> date | None:
    return calendar_day(text) if text and not is_no_date(text) else None


def _moment(text: str | None, time_zone: tzinfo) -> datetime | None:
    return utc_moment(text, time_zone) if text and not is_no_date(text) else None


def _in_order(children: list[Child] | None) -> Sequence[Child]:
    if not children:
        return ()
    if len(children) > 1:
        children.sort(key=_ID)
        if len({each.id for each in children}) < len(children):
            raise ValueError("an id is repeated")
    return children


def _text(text: str | None) -> str | None:
    if text is None or text.isprintable():
        return text or None
    if storable_text(text) is not text:
        raise ValueError("the text has NUL or lone surrogates")
    return text


def _sex(value: int | str | None) -> Sex | None:
    if value is None or value == "":
        return None
    sex = sex_named(value)
    if sex is None:
        raise ValueError("the sex is none of the known values")
    return sex


def _balance(value: Any) -> Decimal:
    balance = exact_number(value)
    if balance is None:
        raise ValueError("the balance is not a number")
    return balance
