"""Coupon series and coupons: percent and fixed, active and not; used, expired, dated and never expiring."""

from __future__ import annotations

from decimal import Decimal

from syrve_simulator.model import Coupon, CouponSeries, Organization
from syrve_simulator.population.identity import Draw
from syrve_simulator.population.names import COUPON_SERIES_NAMES

COUPONS_PER_SERIES = 25
_DISCOUNTS = (
    ("Percent", "10"),
    ("Percent", "12.5"),
    ("Fixed", "150"),
    ("Fixed", "99.90"),
    ("Percent", "25"),
    ("Percent", "15"),
    ("Fixed", "300"),
    ("Fixed", "0"),
)
_EXPIRED, _DATED = "2020-12-31T23:59:59", "2099-12-31T23:59:59"


def build_series(draw: Draw, organization: Organization) -> list[CouponSeries]:
    """Return the series of an organization; the second and the last are not activated."""
    position = organization.position
    return [
        CouponSeries(
            series_id=draw.uuid(b"series", position, place),
            name=name,
            is_activated=place not in {1, len(COUPON_SERIES_NAMES) - 1},
            discount_type=discount_type,
            discount_value=Decimal(value),
        )
        for place, (name, (discount_type, value)) in enumerate(zip(COUPON_SERIES_NAMES, _DISCOUNTS, strict=True))
    ]


def build_coupons(draw: Draw, organization: Organization) -> list[Coupon]:
    """Return the coupons of an organization, 25 a series."""
    return [
        _coupon(draw, organization, series, place * COUPONS_PER_SERIES + offset)
        for place, series in enumerate(build_series(draw, organization))
        for offset in range(COUPONS_PER_SERIES)
    ]


def _coupon(draw: Draw, organization: Organization, series: CouponSeries, ordinal: int) -> Coupon:
    take = draw.words(b"coupon", organization.position, ordinal).__next__
    is_used = take() % 3 == 0
    return Coupon(
        coupon_id=draw.uuid(b"coupon id", organization.position, ordinal),
        number=f"PROMO{organization.position:02d}{ordinal:04d}{take() % 100:02d}",
        series_id=series.series_id,
        series_name=series.name,
        is_used=is_used,
        activated_at=f"2025-{1 + take() % 12:02d}-{1 + take() % 28:02d}T{take() % 24:02d}:{take() % 60:02d}:00"
        if is_used
        else None,
        activated_by=f"terminal-{1 + take() % 9}" if is_used else None,
        not_after=(None, _DATED, _EXPIRED)[take() % 3],
        is_deleted=take() % 10 == 0,
    )
