"""Says whether a coupon can be used, and if not, why."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from syrve.api.models import Coupon

Verdict = Literal["valid", "used", "expired", "deleted", "unknown"]


def coupon_verdict(coupon: Coupon, now: datetime) -> Verdict:
    """Judge a coupon as of `now` (with a time zone): deleted before used before expired.

    Reference document, Best Practices 4. The live service tells no expiry, so there a coupon is never `expired`.
    """
    if coupon.is_deleted:
        return "deleted"
    if coupon.is_used or coupon.activated_at is not None:
        return "used"
    if coupon.not_after is not None and coupon.not_after < now:
        return "expired"
    return "valid" if coupon.is_used is not None else "unknown"
