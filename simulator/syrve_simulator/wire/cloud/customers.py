"""Customers in the shapes of the live service: looked up, created, changed, deleted and restored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from syrve_simulator.jsontext import encode
from syrve_simulator.model import Customer
from syrve_simulator.wire.cloud.times import read_day, read_day_or_bare_date, read_time, wire_time
from syrve_simulator.wire.contract import BadRequestError, Body, LookupFields, Service
from syrve_simulator.wire.errors import customer_not_found, transport_error
from syrve_simulator.wire.reading import (
    Field,
    ItemReaders,
    apply_answer_fields,
    as_flag,
    as_phone,
    as_text,
    as_uuid,
    as_whole,
    flag,
    optional_text,
    optional_texts,
    organization_with_loyalty,
    read_card,
    read_category,
    read_wallet,
    required_text,
    written_fields,
)

LOOKUP_FIELDS: Final[LookupFields] = {
    "phone": ("phone", "phone"),
    "cardTrack": ("card", "cardTrack"),
    "cardNumber": ("card_number", "cardNumber"),
    "email": ("email", "email"),
    "id": ("id", "id"),
}
_SEXES: Final = ("not_specified", "male", "female")
_SEX_CODES: Final = {sex: code for code, sex in enumerate(_SEXES)}
_SEX_WORDS: Final = {"NotSpecified": 0, "Male": 1, "Female": 2}
_ZERO_ID: Final = "00000000-0000-0000-0000-000000000000"


def _code(most: int, value: object) -> int:
    code = as_whole(value)
    if not 0 <= code <= most:
        raise ValueError(f"must be 0 to {most}")
    return code


def _sex(value: object) -> str:
    return _SEXES[_code(2, value)]


def _sex_or_word(value: object) -> str:
    return _sex(_SEX_WORDS.get(value, value) if isinstance(value, str) else value)


def _referrer(value: object) -> str | None:
    referrer_id = as_uuid(value)
    return None if referrer_id == _ZERO_ID else referrer_id


_consent: Final[Callable[[Any], object]] = partial(_code, 2)

_SCALARS: Final = {
    "id": Field("customer_id", as_uuid),
    "referrerId": Field("referrer_id", as_uuid),
    "name": Field("name", as_text),
    "surname": Field("surname", as_text),
    "middleName": Field("middle_name", as_text),
    "comment": Field("comment", as_text),
    "phone": Field("phone", as_phone),
    "cultureName": Field("culture_name", as_text),
    "birthday": Field("birthday", read_day, wire_time),
    "email": Field("email", as_text),
    "sex": Field("sex", _sex, _SEX_CODES.__getitem__),
    "consentStatus": Field("consent_status", _consent),
    "anonymized": Field("is_anonymized", as_flag),
    "userData": Field("user_data", as_text),
    "shouldReceivePromoActionsInfo": Field("receives_promo", as_flag),
    "shouldReceiveLoyaltyInfo": Field("receives_loyalty", as_flag),
    "shouldReceiveOrderStatusInfo": Field("receives_order_status", as_flag),
    "personalDataConsentFrom": Field("consent_from", read_time, wire_time),
    "personalDataConsentTo": Field("consent_to", read_time, wire_time),
    "personalDataProcessingFrom": Field("processing_from", read_time, wire_time),
    "personalDataProcessingTo": Field("processing_to", read_time, wire_time),
    "isDeleted": Field("is_deleted", as_flag),
    "whenRegistered": Field("registered_at", read_time, wire_time),
    "lastProcessedOrderDate": Field("last_order_at", read_time, wire_time),
    "firstOrderDate": Field("first_order_at", read_time, wire_time),
    "lastVisitedOrganizationId": Field("last_visited", as_uuid),
    "registrationOrganizationId": Field("registered_in", as_uuid),
}
_NEVER_NULL: Final = frozenset({"id", "sex", "consentStatus", "anonymized", "isDeleted"})
_LISTS: Final[ItemReaders] = {
    "cards": ("cards", partial(read_card, read_day=read_day)),
    "categories": ("categories", read_category),
    "walletBalances": ("wallets", read_wallet),
}
_CHANGEABLE: Final = {
    "name": Field("name", as_text),
    "middleName": Field("middle_name", as_text),
    "surName": Field("surname", as_text),
    "phone": Field("phone", as_phone),
    "birthday": Field("birthday", read_day),
    "email": Field("email", as_text),
    "sex": Field("sex", _sex),
    "consentStatus": Field("consent_status", _consent),
    "shouldReceiveLoyaltyInfo": Field("receives_loyalty", as_flag),
    "shouldReceivePromoActionsInfo": Field("receives_promo", as_flag),
    "referrerId": Field("referrer_id", _referrer),
    "userData": Field("user_data", as_text),
    "isDeleted": Field("is_deleted", as_flag),
    "comment": Field("comment", as_text),
}
_CLEARED_BY_EMPTY_TEXT: Final = (
    "name", "middleName", "surName", "phone", "birthday", "email", "referrerId", "userData", "comment",
)  # fmt: skip


def encode_customer(customer: Customer) -> bytes:
    """Write a customer as `customer/info` answers it."""
    answer: dict[str, object] = {}
    for name, field in _SCALARS.items():
        value = getattr(customer, field.attribute)
        answer[name] = value if field.write is None else field.write(value)
    answer["cards"] = [
        {"id": one.card_id, "track": one.track, "number": one.number, "validToDate": wire_time(one.valid_to)}
        for one in customer.cards
    ]
    answer["categories"] = [
        {
            "id": one.category_id,
            "name": one.name,
            "isActive": one.is_active,
            "isDefaultForNewGuests": one.is_default_for_new_guests,
        }
        for one in customer.categories
    ]
    answer["walletBalances"] = [
        {"id": one.wallet_id, "name": one.name, "type": one.type, "balance": one.balance} for one in customer.wallets
    ]
    answer.update(customer.extra)
    return encode(answer)


def apply_fields(customer: Customer, fields: Body) -> None:
    """Set fields of a customer as the answer names them; a field unknown to the dialect is answered as it is. Raises ValueError."""
    for name in _NEVER_NULL & fields.keys():
        if fields[name] is None:
            raise ValueError(f'field "{name}": must not be null (for a malformed answer use /_control/raw_answers)')
    apply_answer_fields(customer, fields, _SCALARS, _LISTS)


def create_or_update(service: Service, body: Body) -> dict[str, object]:
    """Create a customer or change one, found by id, else phone, else card track."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    customer_id, card = optional_text(body, "id"), _card(body)
    optional_text(body, "employeeId")
    changes = written_fields(_accepted_fields(service), body)
    if not (customer_id or card or "phone" in changes):
        raise BadRequestError(transport_error(400, "One of 'id', 'phone' and 'cardTrack' must not be empty"))
    if flag(body, "nullifyEmptyFields"):
        changes |= {_CHANGEABLE[name].attribute: None for name in _CLEARED_BY_EMPTY_TEXT if body.get(name) == ""}
    customer_id = service.world.upsert(
        organization,
        changes,
        customer_id=customer_id,
        card=card,
        unknown_seconds=service.behaviour.new_customer_unknown_seconds,
    )
    return {"id": customer_id}


def _card(body: Body) -> tuple[str, str] | None:
    track, number = optional_text(body, "cardTrack"), optional_text(body, "cardNumber")
    if track and number:
        return track, number
    if track or number:
        raise BadRequestError(transport_error(400, "Fields 'cardTrack' and 'cardNumber' are required together"))
    return None


def _accepted_fields(service: Service) -> dict[str, Field]:
    behaviour = service.behaviour
    fields = dict(_CHANGEABLE)
    if behaviour.accepts_surname:
        fields = {"surname": Field("surname", as_text)} | fields
    if behaviour.accepts_text_sex:
        fields["sex"] = Field("sex", _sex_or_word)
    if behaviour.accepts_bare_date:
        fields["birthday"] = Field("birthday", read_day_or_bare_date)
    return fields


def delete_customers(service: Service, body: Body) -> dict[str, object]:
    """Mark customers as deleted; they are kept."""
    total, found = _set_deleted(service, body, is_deleted=True)
    return {"total": total, "deleted": found, "notFound": total - found}


def restore_customers(service: Service, body: Body) -> dict[str, object]:
    """Take the mark off again."""
    total, found = _set_deleted(service, body, is_deleted=False)
    return {"total": total, "restored": found, "notFound": total - found}


def _set_deleted(service: Service, body: Body, *, is_deleted: bool) -> tuple[int, int]:
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    customer_ids = optional_texts(body, "customerIds")
    if not customer_ids:
        raise BadRequestError(transport_error(400, "Required field 'customerIds' is missing or empty"))
    found = {one: service.world.resolve(organization, "id", one) for one in customer_ids}
    unknown = [customer_id for customer_id, ordinal in found.items() if ordinal is None]
    if unknown and service.behaviour.delete_unknown == "error":
        raise BadRequestError(customer_not_found("id", unknown[0]))
    for ordinal in found.values():
        if ordinal is not None:
            customer = service.world.customer(organization, ordinal).copy()
            customer.is_deleted = is_deleted
            service.world.put(organization, ordinal, customer)
    return len(customer_ids), sum(1 for one in customer_ids if found[one] is not None)
