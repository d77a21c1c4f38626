"""Reads what senders report, without any I/O: order events and balance notifications (facts, sections 4.11 and 8) become `Event`s.

Of an event only what is needed is kept. Names, addresses, comments and items are never read; of an event of an unknown type only its type
and the names of its fields remain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from syrve.api.decode import parse_json
from syrve.api.fields import FieldReader
from syrve.customers.phones import to_e164
from syrve.signals.errors import UnreadableBody
from syrve.values import storable_text, without_float_noise
from syrve.warehouse.copy_text import json_text

MAX_EVENTS = 1_000
MAX_NAME_LENGTH = 100
_MAX_FIELDS = 30
_MAX_AMOUNT = Decimal(10) ** 15

_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,60}", re.ASCII)

_ORDER_NUMBER = re.compile(rf"(?=.*[0-9])[\w#№./:|-]{{1,{MAX_NAME_LENGTH}}}")

_LAST_SECOND = 10_000_000_000
_LAST_MILLISECOND = 1000 * _LAST_SECOND

_ORDER_EVENTS = {"deliveryorderupdate", "deliveryordererror", "tableorderupdate", "tableordererror"}
_RESERVE_EVENTS = {"reserveupdate", "reserveerror"}
_STATES = {
    "closed": "completed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "deleted": "cancelled",
    **dict.fromkeys(
        (
            "unconfirmed",
            "waitcooking",
            "readyforcooking",
            "cookingstarted",
            "cookingcompleted",
            "waiting",
            "onway",
            "delivered",  # it is paid for when it is closed
            "new",
            "bill",
        ),
        "open",
    ),
}
_LOYALTY_KINDS = {"loyaltycard", "iikocard"}
_OTHER_KINDS = {"cash", "card", "credit", "writeoff", "voucher"}
_LEFT_OUT_OF_KEY = ("subscriptionPassword", "correlationId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as it is kept. `organization_ids` are those that it may be about: the first with the sender's secret counts.

    `content_key` is equal for equal reports.
    """

    kind: str
    event_type: str
    content_key: bytes
    organization_ids: tuple[str, ...]
    event_at: datetime | None = None
    customer_id: str | None = None
    phone: str | None = field(default=None, repr=False)
    order_id: str | None = None
    external_number: str | None = None
    amount: Decimal | None = None
    wallet_id: str | None = None
    change: Decimal | None = None
    balance: Decimal | None = None
    change_type: str | None = None
    order_number: str | None = None
    field_names: tuple[str, ...] = ()


Item = Mapping[str, Any]


def items_of(body: bytes) -> list[Item]:
    """Take a body apart, which costs little: an object, or a list of at most `MAX_EVENTS` of them. Raises `UnreadableBody`."""
    try:
        parsed = parse_json(body)
    except ValueError:
        raise UnreadableBody(
            "the body is not JSON, gives a key twice with different values, or is nested too deeply"
        ) from None
    items = parsed if isinstance(parsed, list) else [parsed]
    if len(items) > MAX_EVENTS:
        raise UnreadableBody(f"the body holds more than {MAX_EVENTS} events")
    if not items or not all(isinstance(each, Mapping) for each in items):
        raise UnreadableBody("the body is neither an event nor a list of events")
    return items


def password_of(item: Item) -> str | None:
    """Return the secret that an event brings with it, None if it brings none."""
    found = item.get("subscriptionPassword")
    return found if isinstance(found, str) else None


def read_events(items: Sequence[Item], *, region: str) -> list[Event]:
    """Read events; national phones are of `region`. Raises `UnreadableBody` if one is nested too deeply."""
    return [read_event(each, region=region) for each in items]


def read_event(item: Item, *, region: str) -> Event:
    """Read one event, with any field missing. Raises `UnreadableBody` if it is nested too deeply."""
    reader = FieldReader(item, problems=[])
    common: dict[str, Any] = {"content_key": _content_key(item)}
    event_type = _word(item.get("eventType"))
    if event_type is None and ("customerId" in item or "walletId" in item) and "balance" in item:
        return _balance(reader, common, region)
    info = item.get("eventInfo")
    info = info if isinstance(info, Mapping) else {}
    common |= {
        "event_type": event_type or "unnamed",
        "event_at": reader.moment("eventTime"),
        "organization_ids": _ids(item.get("organizationId"), info.get("organizationId")),
    }
    word = (event_type or "").lower()
    if word in _ORDER_EVENTS:
        common["event_at"] = changed_at(info) or common["event_at"]
        return Event(**common, **order_fields(info, region=region))
    if word in _RESERVE_EVENTS:
        return Event(**common, kind="reserve", **_person(info, _inside(info, "reserve"), region))
    return Event(**common, kind="other", field_names=_field_names(info or item))


def order_fields(info: Mapping[str, Any], *, region: str) -> dict[str, Any]:
    """Read an order, as an event or the order feed has it, into fields of `Event`; `kind` says its state."""
    reader = FieldReader(info, problems=[])
    order = _inside(info, "order")
    inner = FieldReader(order, problems=[])
    status = str(order.get("status") or info.get("status") or "").replace(" ", "").lower()
    state = "cancelled" if inner.boolean("isDeleted") else _STATES.get(status)
    if state is None and str(info.get("creationStatus") or "").lower() == "error":
        state = "failed"
    return {
        "kind": f"order_{state or 'other'}",
        "order_id": reader.uuid("id"),
        "external_number": _number_of_order(info.get("externalNumber")),
        "order_number": _number_of_order(order.get("number")),
        "amount": _from_wallets(order.get("payments"), is_over=state == "completed"),
        **_person(info, order, region),
    }


def changed_at(info: Mapping[str, Any]) -> datetime | None:
    """Read when an order last changed at the service: milliseconds, or seconds, since 1970. None if it does not say."""
    value = info.get("timestamp")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value < _LAST_MILLISECOND:
        return None
    seconds = value / 1000 if value > _LAST_SECOND else value
    return datetime.fromtimestamp(float(seconds), UTC)


def fed_order(organization_id: str, info: Mapping[str, Any], *, region: str) -> Event:
    """Read an order of the order feed as an event. Raises `UnreadableBody` if it is nested too deeply."""
    return Event(
        **order_fields(info, region=region),
        event_type="order feed",
        content_key=_content_key({"feed": organization_id, **info}),
        organization_ids=(organization_id,),
        event_at=changed_at(info),
    )


def _balance(reader: FieldReader, common: Mapping[str, Any], region: str) -> Event:
    return Event(
        **common,
        kind="balance",
        event_type="balance",
        organization_ids=_ids(reader.record.get("organizationId"), reader.record.get("uocId")),
        event_at=reader.moment("changedOn"),
        customer_id=reader.uuid("customerId"),
        phone=_phone(reader.text("phone"), region),
        wallet_id=reader.uuid("walletId"),
        order_id=reader.uuid("orderId"),
        order_number=_number_of_order(reader.record.get("orderNumber")),
        change=_number(reader, "sum"),
        balance=_number(reader, "balance"),
        change_type=_word(reader.record.get("transactionType")),
    )


def _person(info: Mapping[str, Any], order: Mapping[str, Any], region: str) -> dict[str, Any]:
    customer = _inside(order, "customer") if isinstance(order.get("customer"), Mapping) else _inside(info, "customer")
    own = FieldReader(customer, problems=[])
    is_known = str(customer.get("type") or "regular").lower() != "one-time"
    phones = (FieldReader(each, problems=[]).text("phone") for each in (order, customer, info))
    return {
        "customer_id": own.uuid("id") if is_known else None,
        "phone": next((read for each in phones if (read := _phone(each, region))), None),
    }


def _from_wallets(payments: Any, *, is_over: bool) -> Decimal | None:
    """Return what the payments take from wallets: zero only if the order is over and all of them are known to be something else."""
    if not isinstance(payments, list) or not payments or not all(isinstance(each, Mapping) for each in payments):
        return None
    total, kinds = Decimal(0), set()
    for each in payments:
        kind = _kind_of_payment(each)
        kinds.add(kind)
        if kind in _LOYALTY_KINDS:
            amount = _number(FieldReader(each, problems=[]), "sum")
            if amount is None or amount < 0:
                return None
            total += amount
    if kinds & _LOYALTY_KINDS:
        return total
    return Decimal(0) if is_over and kinds <= _OTHER_KINDS else None


def _kind_of_payment(payment: Mapping[str, Any]) -> str:
    kind = _inside(payment, "paymentType").get("kind") or payment.get("paymentTypeKind")
    return str(kind or "").lower()


def _inside(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _ids(*values: Any) -> tuple[str, ...]:
    read = (FieldReader({"id": each}, problems=[]).uuid("id") for each in values)
    return tuple(dict.fromkeys(each for each in read if each))


def _number(reader: FieldReader, name: str) -> Decimal | None:
    number = reader.optional_number(name)
    return None if number is None or abs(number) > _MAX_AMOUNT else without_float_noise(number)


def _number_of_order(value: Any) -> str | None:
    """Return what can be the number of an order: one word with a digit in it. A name or a phone that people write there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = storable_text(str(value)).strip()
    return text if _ORDER_NUMBER.fullmatch(text) else None


def _word(value: Any) -> str | None:
    """Return the name of a type: no number and no text of a person is one."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _phone(text: str | None, region: str) -> str | None:
    return to_e164(text, region) if text and len(text) <= MAX_NAME_LENGTH else None


def _field_names(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return names that are names of fields: a key that holds a value of a person, such as a phone, is none."""
    return tuple(
        sorted(each for each in record if each.isascii() and each.isidentifier() and len(each) <= 40)[:_MAX_FIELDS]
    )


def _content_key(item: Mapping[str, Any]) -> bytes:
    content = {name: value for name, value in item.items() if name not in _LEFT_OUT_OF_KEY}
    try:
        text = msgspec.json.encode(content, order="deterministic")
    except UnicodeEncodeError:
        # A character of two code units that was cut in half, as programs do that shorten texts: json writes it as an escape.
        text = json.dumps(content, sort_keys=True, default=str).encode()
    except (RecursionError, ValueError):
        raise UnreadableBody("the body is nested too deeply") from None
    return hashlib.sha256(text).digest()


def _time(moment: datetime | None) -> str | None:
    """Return a time of this world, as the database takes it; any other says nothing about when something happened."""
    return moment.astimezone(UTC).isoformat() if moment and 2000 < moment.year < 2199 else None


def rows(events: Sequence[tuple[str, Event]], *, channel: str) -> str:
    """Return events, each with its organization, as the JSON that `signals/receive.sql` reads, in the order of their keys.

    Every writer takes them in that order: two that write the same ones do not wait for each other in turn.
    """
    read = (_row(organization_id, event, channel) for organization_id, event in events)
    return json_text(sorted(read, key=lambda row: str(row["content_key"])))


def _row(organization_id: str, event: Event, channel: str) -> dict[str, Any]:
    return {
        "content_key": hashlib.sha256(organization_id.encode() + event.content_key).hexdigest(),
        "organization_id": organization_id,
        "kind": event.kind,
        "event_type": event.event_type,
        "channel": channel,
        "event_at": _time(event.event_at),
        "customer_id": event.customer_id,
        "phone": event.phone,
        "order_id": event.order_id,
        "external_number": event.external_number,
        "amount": event.amount,
        "wallet_id": event.wallet_id,
        "change": event.change,
        "balance": event.balance,
        "change_type": event.change_type,
        "order_number": event.order_number,
        "field_names": list(event.field_names) or None,
    }
