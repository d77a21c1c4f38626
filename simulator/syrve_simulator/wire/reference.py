"""The dialect of the reference document (`syrve-customers`)."""

from __future__ import annotations

from typing import Final

from syrve_simulator.jsontext import encode, exact
from syrve_simulator.model import Coupon, CouponSeries, Customer
from syrve_simulator.wire import membership
from syrve_simulator.wire.contract import Answer, BadRequestError, Body, Dialect, LookupFields, Operation, Service
from syrve_simulator.wire.errors import correlation_id, transport_error, unknown_coupon
from syrve_simulator.wire.loyalty import lookup_operation, loyalty_operation, loyalty_paths, refusing
from syrve_simulator.wire.reading import (
    Field,
    ItemReaders,
    apply_answer_fields,
    as_date,
    as_flag,
    as_phone,
    as_text,
    as_time,
    as_uuid,
    item_part,
    optional_text,
    optional_texts,
    organization_with_loyalty,
    read_card,
    read_category,
    read_wallet,
    required_text,
    written_fields,
)
from syrve_simulator.wire.transport import TRANSPORT
from syrve_simulator.wire.wallet import wallet_operations

_SEX_WORDS: Final = {"male": "Male", "female": "Female", "not_specified": "NotSpecified"}
_SEXES: Final = {word: sex for sex, word in _SEX_WORDS.items()}
_LOOKUP_FIELDS: Final[LookupFields] = {
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


_LISTS: Final[ItemReaders] = {
    "walletBalances": ("wallets", read_wallet),
    "cards": ("cards", read_card),
    "categories": ("categories", read_category),
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
    apply_answer_fields(customer, fields, _SCALARS, _LISTS)


def create_or_update(service: Service, body: Body) -> Answer:
    """Create a customer or change one, found by id, else phone, else card track."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    customer_id, track = optional_text(body, "id"), optional_text(body, "cardTrack")
    changes = written_fields(_CHANGEABLE, body)
    if not (customer_id or track or "phone" in changes):
        return transport_error(400, "One of 'id', 'phone' and 'cardTrack' must not be empty")
    card = (track, optional_text(body, "cardNumber") or track) if track else None
    customer_id = service.world.upsert(
        organization,
        changes,
        customer_id=customer_id,
        card=card,
        unknown_seconds=service.behaviour.new_customer_unknown_seconds,
    )
    return Answer(200, correlated({"id": customer_id}))


def correlated(answer: dict[str, object]) -> bytes:
    """Write an answer with an operation id in front."""
    return encode({"correlationId": correlation_id(), **answer})


def program_add(service: Service, body: Body) -> dict[str, object]:
    """Take a customer into a programme; the reference document shows no answer."""
    membership.program_add(service, body)
    return {}


def coupon_info(service: Service, body: Body) -> Answer:
    """Tell about one coupon; null when there is none with that number."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    number = required_text(body, "number")
    coupons = service.world.coupons(organization).get(number)
    if not coupons and service.behaviour.unknown_coupon == "error":
        return unknown_coupon(number)
    return Answer(200, correlated({"couponInfo": _coupon(coupons[0]) if coupons else None}))


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
    return Answer(200, correlated({"couponSeries": listed}))


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


REFERENCE: Final = Dialect(
    name="reference",
    operations=(
        *TRANSPORT,
        lookup_operation(_LOOKUP_FIELDS),
        Operation(
            name="create_or_update",
            paths=loyalty_paths("customer/create_or_update"),
            answer=refusing(create_or_update),
            subject=lambda body: body.get("id") or body.get("phone") or body.get("cardTrack"),
        ),
        Operation(
            name="coupon_info",
            paths=loyalty_paths("coupons/info"),
            answer=coupon_info,
            subject=lambda body: body.get("number"),
        ),
        Operation(name="coupon_series", paths=loyalty_paths("coupons/series"), answer=coupon_series),
        loyalty_operation("program_add", "customer/program/add", program_add, correlated),
        loyalty_operation("card_add", "customer/card/add", membership.card_add, correlated),
        loyalty_operation("card_remove", "customer/card/remove", membership.card_remove, correlated),
        loyalty_operation("category_add", "customer/category/add", membership.category_add, correlated),
        *wallet_operations(correlated, caller_names_hold=False),
    ),
    encode_customer=encode_customer,
    apply_fields=apply_fields,
    read_coupon_series=read_coupon_series,
    lookup_fields=_LOOKUP_FIELDS,
)
