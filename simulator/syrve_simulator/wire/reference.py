"""The dialect of the reference document (`syrve-customers`)."""

from __future__ import annotations

from typing import Any, Final

from syrve_simulator.jsontext import encode, exact
from syrve_simulator.model import Card, Category, Coupon, CouponSeries, Customer, IdentityKind, Wallet
from syrve_simulator.wire.contract import Answer, BadRequestError, Body, Dialect, Lookup, Operation, Service
from syrve_simulator.wire.errors import (
    correlation_id,
    customer_not_found,
    loyalty_error,
    transport_error,
)
from syrve_simulator.wire.reading import (
    Field,
    as_date,
    as_flag,
    as_phone,
    as_text,
    as_time,
    as_uuid,
    as_whole,
    item_part,
    optional_text,
    optional_texts,
    or_null,
    organization_with_loyalty,
    put_field,
    required_text,
    written_fields,
)
from syrve_simulator.wire.transport import TRANSPORT
from syrve_simulator.world import IdentityTakenError, UnknownCustomerError

_SEX_WORDS: Final = {"male": "Male", "female": "Female", "not_specified": "NotSpecified"}
_SEXES: Final = {word: sex for sex, word in _SEX_WORDS.items()}
_LOOKUP_FIELDS: Final[dict[str, tuple[IdentityKind, str]]] = {
    "phone": ("phone", "phone"),
    "id": ("id", "id"),
    "card": ("card", "cardTrack"),
}


def _sex(value: object) -> str:
    if not isinstance(value, str) or value not in _SEXES:
        raise ValueError(f"must be one of {', '.join(_SEXES)}")
    return _SEXES[value]


_CHANGEABLE: Final = {
    "referrerId": Field("referrer_id", as_uuid),
    "name": Field("name", as_text),
    "surname": Field("surname", as_text),
    "middleName": Field("middle_name", as_text),
    "phone": Field("phone", as_phone),
    "email": Field("email", as_text),
    "birthday": Field("birthday", as_date),
    "sex": Field("sex", _sex, _SEX_WORDS.__getitem__),
    "shouldReceiveOrderStatusNotifications": Field("receives_order_status", as_flag),
    "shouldReceivePromoActionsInfo": Field("receives_promo", as_flag),
    "personalDataProcessingConsentFrom": Field("consent_from", as_time),
    "personalDataProcessingConsentTo": Field("consent_to", as_time),
}
_PROGRAM: Final = {"programId": Field("program_id", as_uuid), "programName": Field("program_name", as_text)}
_SCALARS: Final = {"id": Field("customer_id", as_uuid)} | _CHANGEABLE | _PROGRAM


def _wallet(item: Any) -> Wallet:
    return Wallet(
        wallet_id=item_part(item, "id", as_text),
        name=item_part(item, "name", as_text),
        type=item_part(item, "type", as_whole),
        balance=item_part(item, "balance", exact),
    )


def _card(item: Any) -> Card:
    return Card(
        card_id=item_part(item, "id", as_text),
        track=item_part(item, "track", as_text),
        number=item_part(item, "number", as_text),
        valid_to=item_part(item, "validToDate", or_null(as_text)),
    )


def _category(item: Any) -> Category:
    return Category(
        category_id=item_part(item, "id", as_text),
        name=item_part(item, "name", as_text),
        is_active=item_part(item, "isActive", as_flag),
        is_default_for_new_guests=item_part(item, "isDefaultForNewGuests", as_flag),
    )


_LISTS: Final = {
    "walletBalances": ("wallets", _wallet),
    "cards": ("cards", _card),
    "categories": ("categories", _category),
}


def encode_customer(customer: Customer) -> bytes:
    """Write a customer as `customer/info` answers it."""
    answer: dict[str, object] = {}
    for name, field in _SCALARS.items():
        value = getattr(customer, field.attribute)
        answer[name] = value if field.write is None or value is None else field.write(value)
    answer["walletBalances"] = [
        {"id": one.wallet_id, "name": one.name, "type": one.type, "balance": one.balance} for one in customer.wallets
    ]
    answer["cards"] = [
        {"id": one.card_id, "track": one.track, "number": one.number, "validToDate": one.valid_to}
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
    answer.update(customer.extra)
    return encode(answer)


def apply_fields(customer: Customer, fields: Body) -> None:
    """Set fields of a customer as the answer names them; a field unknown to the dialect is answered as it is. Raises ValueError."""
    for name, value in fields.items():
        if name in _SCALARS:
            put_field(customer, name, _SCALARS[name], value)
        elif name in _LISTS:
            if not isinstance(value, list):
                raise ValueError(f'field "{name}": must be a list')
            attribute, read = _LISTS[name]
            setattr(customer, attribute, tuple(read(item) for item in value))
        else:
            customer.extra[name] = value


def customer_info(service: Service, body: Body) -> Answer:
    """Look one customer up by phone, id or card."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    kind_word = required_text(body, "type")
    if kind_word not in _LOOKUP_FIELDS:
        return transport_error(400, f"Field 'type' must be one of {', '.join(_LOOKUP_FIELDS)}")
    kind, field = _LOOKUP_FIELDS[kind_word]
    value = required_text(body, field)
    lookup = Lookup(organization.organization_id, kind, value)
    ordinal = service.world.resolve(organization, kind, value)
    if ordinal is None:
        return customer_not_found(kind, value)._replace(lookup=lookup)
    return Answer(200, service.world.answer(organization, ordinal), lookup)


def _lookup_subject(body: Body) -> str | None:
    _, field = _LOOKUP_FIELDS.get(body.get("type") or "", (None, ""))
    value = body.get(field)
    return value if isinstance(value, str) else None


def create_or_update(service: Service, body: Body) -> Answer:
    """Create a customer or change one, found by id, else phone, else card track."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    customer_id, track = optional_text(body, "id"), optional_text(body, "cardTrack")
    changes = written_fields(_CHANGEABLE, body)
    if not (customer_id or track or "phone" in changes):
        return transport_error(400, "One of 'id', 'phone' and 'cardTrack' must not be empty")
    card = (track, optional_text(body, "cardNumber") or track) if track else None
    try:
        customer_id = service.world.upsert(organization, changes, customer_id=customer_id, card=card)
    except UnknownCustomerError as error:
        return loyalty_error("Transport_WrongCustomerId", "Customer_CustomerNotFound", str(error))
    except IdentityTakenError as error:
        return loyalty_error(None, "Customer_AlreadyExists", str(error))
    return Answer(200, encode({"correlationId": correlation_id(), "id": customer_id}))


def coupon_info(service: Service, body: Body) -> Answer:
    """Tell about one coupon; null when there is none with that number."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    coupon = service.world.coupons(organization).get(required_text(body, "number"))
    return Answer(200, encode({"correlationId": correlation_id(), "couponInfo": coupon and _coupon(coupon)}))


def _coupon(coupon: Coupon) -> dict[str, object]:
    return {
        "id": coupon.coupon_id,
        "number": coupon.number,
        "seriesId": coupon.series_id,
        "seriesName": coupon.series_name,
        "isUsed": coupon.is_used,
        "whenActivated": coupon.activated_at,
        "activatedBy": coupon.activated_by,
        "notAfterDateBecomesApplied": coupon.not_after,
    }


def coupon_series(service: Service, body: Body) -> Answer:
    """List the coupon series of organizations; one of them without loyalty refuses the call."""
    organization_ids = optional_texts(body, "organizationIds")
    if not organization_ids:
        raise BadRequestError(transport_error(400, "Required field 'organizationIds' is missing or empty"))
    chosen = [organization_with_loyalty(service, one) for one in organization_ids]
    listed = [
        {"organizationId": one.organization_id, "items": [_series(item) for item in service.world.coupon_series(one)]}
        for one in chosen
    ]
    return Answer(200, encode({"correlationId": correlation_id(), "couponSeries": listed}))


def _series(series: CouponSeries) -> dict[str, object]:
    return {
        "id": series.series_id,
        "name": series.name,
        "isActivated": series.is_activated,
        "discountType": series.discount_type,
        "discountValue": series.discount_value,
    }


def read_coupon_series(item: Body) -> CouponSeries:
    """Read an item of the `coupons/series` answer. Raises ValueError."""
    return CouponSeries(
        series_id=item_part(item, "id", as_uuid),
        name=item_part(item, "name", as_text),
        is_activated=item_part(item, "isActivated", as_flag),
        discount_type=item_part(item, "discountType", as_text),
        discount_value=item_part(item, "discountValue", exact),
    )


def _loyalty(path: str) -> tuple[str, ...]:
    return tuple(f"/api/1/loyalty/{segment}/{path}" for segment in ("iiko", "syrve"))


REFERENCE: Final = Dialect(
    name="reference",
    operations=(
        *TRANSPORT,
        Operation(name="customer_info", paths=_loyalty("customer/info"), answer=customer_info, subject=_lookup_subject),
        Operation(
            name="create_or_update",
            paths=_loyalty("customer/create_or_update"),
            answer=create_or_update,
            subject=lambda body: body.get("id") or body.get("phone") or body.get("cardTrack"),
        ),
        Operation(
            name="coupon_info",
            paths=_loyalty("coupons/info"),
            answer=coupon_info,
            subject=lambda body: body.get("number"),
        ),
        Operation(name="coupon_series", paths=_loyalty("coupons/series"), answer=coupon_series),
    ),
    encode_customer=encode_customer,
    apply_fields=apply_fields,
    read_coupon_series=read_coupon_series,
)
