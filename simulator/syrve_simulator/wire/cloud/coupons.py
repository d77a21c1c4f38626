"""Coupons in the shapes of the live service, which tells neither discount nor expiry."""

from __future__ import annotations

from decimal import Decimal

from syrve_simulator.model import Coupon, CouponSeries, Organization
from syrve_simulator.wire.cloud.times import wire_time
from syrve_simulator.wire.contract import BadRequestError, Body, Service
from syrve_simulator.wire.errors import unknown_coupon
from syrve_simulator.wire.reading import (
    as_text,
    as_uuid,
    item_part,
    optional_text,
    organization_with_loyalty,
    required_text,
    whole_number,
)

_PAGE_SIZE = 100
"""Of a page when the request names no size."""


def coupon_info(service: Service, body: Body) -> dict[str, object]:
    """Tell about every coupon with that number, of one series if the request names it."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    number, series = required_text(body, "number"), optional_text(body, "series")
    found = [
        _coupon(one)
        for one in service.world.coupons(organization).get(number, ())
        if series is None or one.series_name == series
    ]
    if not found and service.behaviour.unknown_coupon == "error":
        raise BadRequestError(unknown_coupon(number))
    return {"couponInfo": found if found or service.behaviour.unknown_coupon == "empty" else None}


def coupon_series(service: Service, body: Body) -> dict[str, object]:
    """List the series that still hold a coupon neither activated nor deleted, and those of which no coupon is known at all."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    series_left = {one.series_id for one in _coupons(service, organization) if _is_left(one)}
    series_known = {one.series_id for one in _coupons(service, organization)}
    return {
        "seriesWithNotActivatedCoupons": [
            {"id": one.series_id, "number": one.name}
            for one in service.world.coupon_series(organization)
            if one.series_id in series_left or one.series_id not in series_known
        ]
    }


def coupons_by_series(service: Service, body: Body) -> dict[str, object]:
    """List a page of the coupons of a series that are neither activated nor deleted."""
    organization = organization_with_loyalty(service, required_text(body, "organizationId"))
    series = required_text(body, "series")
    size = service.behaviour.page_size(whole_number(body, "pageSize", 1, _PAGE_SIZE))
    start = whole_number(body, "page", 0, 0) * size
    found = [one for one in _coupons(service, organization) if one.series_name == series and _is_left(one)]
    return {
        "notActivatedCoupon": [
            {"id": one.coupon_id, "number": one.number, "seriesName": one.series_name, "seriesId": one.series_id}
            for one in found[start : start + size]
        ]
    }


def read_coupon_series(item: Body) -> CouponSeries:
    """Read an item of the `coupons/series` answer. Raises ValueError."""
    return CouponSeries(
        series_id=item_part(item, "id", as_uuid),
        name=item_part(item, "number", as_text),
        is_activated=True,
        discount_type="Percent",
        discount_value=Decimal(0),
    )


def _coupons(service: Service, organization: Organization) -> list[Coupon]:
    return [one for same_number in service.world.coupons(organization).values() for one in same_number]


def _is_left(coupon: Coupon) -> bool:
    return not coupon.is_deleted and coupon.activated_at is None


def _coupon(coupon: Coupon) -> dict[str, object]:
    return {
        "id": coupon.coupon_id,
        "number": coupon.number,
        "seriesName": coupon.series_name,
        "seriesId": coupon.series_id,
        "whenActivated": wire_time(coupon.activated_at),
        "isDeleted": coupon.is_deleted,
    }
