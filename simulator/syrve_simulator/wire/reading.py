"""Reading request fields: what is missing or of the wrong kind is refused with 400, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from syrve_simulator.jsontext import exact
from syrve_simulator.model import Card, Category, Customer, Organization, Wallet
from syrve_simulator.wire.contract import BadRequestError, Body, Service
from syrve_simulator.wire.errors import customer_not_found, loyalty_error, loyalty_not_set_up, transport_error

_Value = TypeVar("_Value")


def required_text(body: Body, field: str) -> str:
    """Return a field that has to be there and not empty."""
    value = optional_text(body, field)
    if value is None:
        raise BadRequestError(transport_error(400, f"Required field '{field}' is missing or empty"))
    return value


def optional_text(body: Body, field: str) -> str | None:
    """Return a text field; empty counts as absent."""
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRequestError(transport_error(400, f"Field '{field}' must be text"))
    return value or None


def optional_texts(body: Body, field: str) -> list[str]:
    """Return a field that is a list of texts, or nothing."""
    value = body.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequestError(transport_error(400, f"Field '{field}' must be a list of text"))
    return value


def required_uuid(body: Body, field: str) -> str:
    """Return a field that has to be a uuid, in lower case."""
    try:
        return as_uuid(required_text(body, field))
    except ValueError:
        raise BadRequestError(transport_error(400, f"Field '{field}' must be a uuid")) from None


def required_sum(body: Body, field: str = "sum") -> Decimal:
    """Return an amount of money above nothing."""
    value = body.get(field)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadRequestError(transport_error(400, f"Required field '{field}' is missing or not a number"))
    try:
        amount = exact(value)
    except ValueError as error:
        raise BadRequestError(transport_error(400, f"Field '{field}' cannot be read: {error}")) from None
    if amount <= 0:
        raise BadRequestError(loyalty_error("Transport_WrongSum", "Validation_IncorrectSum", "The sum must be above 0"))
    return amount


def whole_number(body: Body, field: str, least: int, absent: int | None = None) -> int:
    """Return a whole number of at least `least`; refuse its absence unless there is a value for that."""
    value = body.get(field)
    if value is None and absent is not None:
        return absent
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadRequestError(transport_error(400, f"Field '{field}' must be a whole number of at least {least}"))
    return value


def flag(body: Body, field: str) -> bool:
    """Return a flag; absent and null count as false."""
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise BadRequestError(transport_error(400, f"Field '{field}' must be true or false"))
    return bool(value)


def member(service: Service, body: Body) -> tuple[Organization, int]:
    """Return the organization and the customer that a call names, or refuse as the loyalty back end does."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    customer_id = required_uuid(body, "customerId")
    ordinal = service.world.resolve(organization, "id", customer_id)
    if ordinal is None or is_hidden(service, organization, ordinal):
        raise BadRequestError(customer_not_found("id", customer_id))
    return organization, ordinal


def is_hidden(service: Service, organization: Organization, ordinal: int) -> bool:
    """Say whether a customer was deleted and that means not found."""
    return service.behaviour.deleted_customer == "error" and service.world.is_deleted(organization, ordinal)


def organization_with_loyalty(service: Service, organization_id: str) -> Organization:
    """Return the organization whose loyalty programme it takes part in, or refuse as the loyalty back end does."""
    organization = service.world.organizations.get(organization_id) or service.world.organizations.get(
        organization_id.lower()
    )
    if organization is None or organization.organization_id in service.without_loyalty:
        raise BadRequestError(loyalty_not_set_up(organization_id))
    return service.home_of(organization)


@dataclass(frozen=True, slots=True)
class Field:
    """A customer's field: the attribute it sets, how it is read (ValueError when it cannot be) and how it is written."""

    attribute: str
    read: Callable[[Any], object]
    write: Callable[[Any], object] | None = None


def as_text(value: object) -> str:
    """Read text."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def as_flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def as_whole(value: object) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def as_date(value: object) -> str:
    """Read a date (`YYYY-MM-DD`)."""
    text = as_text(value)
    date.fromisoformat(text)
    return text


def as_time(value: object) -> str:
    """Read an ISO date and time."""
    text = as_text(value)
    datetime.fromisoformat(text)
    return text


def as_uuid(value: object) -> str:
    """Read a uuid."""
    return str(UUID(as_text(value)))


def as_phone(value: object) -> str:
    """Read a phone: the service answers with a plus whether it was sent or not."""
    text = as_text(value)
    return f"+{text}" if text.isascii() and text.isdigit() else text


def written_fields(fields: dict[str, Field], body: Body) -> dict[str, object]:
    """Return what create_or_update has to change, by attribute: absent, null and empty fields change nothing."""
    changes: dict[str, object] = {}
    for name, field in fields.items():
        value = body.get(name)
        if value is None or value == "":
            continue
        try:
            changes[field.attribute] = field.read(value)
        except ValueError as error:
            raise BadRequestError(transport_error(400, f"Field '{name}' cannot be read: {error}")) from None
    return changes


def read_wallet(item: Any) -> Wallet:
    """Read a wallet as customer/info answers it. Raises ValueError."""
    return Wallet(
        wallet_id=item_part(item, "id", as_text),
        name=item_part(item, "name", as_text),
        type=item_part(item, "type", as_whole),
        balance=item_part(item, "balance", exact),
    )


def read_card(item: Any, read_day: Callable[[Any], str] = as_text) -> Card:
    """Read a card as customer/info answers it; `read_day` reads until when it is valid. Raises ValueError."""
    return Card(
        card_id=item_part(item, "id", as_text),
        track=item_part(item, "track", as_text),
        number=item_part(item, "number", as_text),
        valid_to=item_part(item, "validToDate", or_null(read_day)),
    )


def read_category(item: Any) -> Category:
    """Read a category as customer/info answers it. Raises ValueError."""
    return Category(
        category_id=item_part(item, "id", as_text),
        name=item_part(item, "name", as_text),
        is_active=item_part(item, "isActive", as_flag),
        is_default_for_new_guests=item_part(item, "isDefaultForNewGuests", as_flag),
    )


def item_part(item: Any, name: str, read: Callable[[Any], _Value]) -> _Value:
    """Read one field of an item in a list on the control path. Raises ValueError with its name."""
    if not isinstance(item, dict) or name not in item:
        raise ValueError(f'every item needs "{name}"')
    try:
        return read(item[name])
    except ValueError as error:
        raise ValueError(f'"{name}" {error}') from None


def or_null(read: Callable[[Any], _Value]) -> Callable[[Any], _Value | None]:
    """Allow null where `read` reads a value."""
    return lambda value: None if value is None else read(value)


ItemReaders = Mapping[str, tuple[str, Callable[[Any], object]]]
"""By field: the attribute that holds the list, and what reads an item of it."""


def apply_answer_fields(customer: Customer, fields: Body, scalars: Mapping[str, Field], lists: ItemReaders) -> None:
    """Set fields of a customer as an answer names them; a field that no dialect knows is answered as it is. Raises ValueError."""
    for name, value in fields.items():
        if name in scalars:
            put_field(customer, name, scalars[name], value)
        elif name in lists:
            if not isinstance(value, list):
                raise ValueError(f'field "{name}": must be a list')
            attribute, read = lists[name]
            setattr(customer, attribute, tuple(read(item) for item in value))
        else:
            customer.extra[name] = value


def put_field(customer: Customer, name: str, field: Field, value: object) -> None:
    """Set a field on the control path, null included. Raises ValueError."""
    try:
        setattr(customer, field.attribute, None if value is None else field.read(value))
    except ValueError as error:
        raise ValueError(f'field "{name}": {error} (for a malformed answer use /_control/raw_answers)') from None
