"""Says whether a coupon can be used, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from syrve.api.client import SyrveClient
from syrve.api.models import Coupon

Verdict = Literal["valid", "used", "expired", "deleted", "unknown"]

_REASONS: dict[Verdict, str] = {
    "valid": "the coupon can be used",
    "used": "the coupon has been used",
    "expired": "the coupon's last day is over",
    "deleted": "the coupon has been withdrawn",
    "unknown": "no such coupon is known to the organization",
}
_UNREADABLE = "what Syrve answers about the coupon cannot be read in full"
_DECISIVE = ("isDeleted", "isUsed", "whenActivated", "notAfterDateBecomesApplied")
_BEST_FIRST: tuple[Verdict, ...] = ("valid", "used", "expired", "deleted", "unknown")


@dataclass(frozen=True, slots=True)
class CouponJudgement:
    """A verdict with its reason, and the coupon it is about (None if there is none)."""

    verdict: Verdict
    reason: str
    coupon: Coupon | None


def coupon_verdict(coupon: Coupon, now: datetime) -> Verdict:
    """Judge a coupon as of `now` (with a time zone): deleted before used before expired.

    Reference document, Best Practices 4. The live service tells no expiry, so there a coupon is never `expired`. A coupon of which
    something decisive could not be read is `unknown`, unless what could be read rules it out already.
    """
    if coupon.is_deleted:
        return "deleted"
    if coupon.is_used or coupon.activated_at is not None:
        return "used"
    if coupon.not_after is not None and coupon.not_after < now:
        return "expired"
    if coupon.is_used is None or _is_unreadable(coupon):
        return "unknown"
    return "valid"


def validate_coupon(client: SyrveClient, organization_id: str, number: str, *, now: datetime) -> CouponJudgement:
    """Look a coupon up and judge it as of `now`; its last day is read in the time zone of the connection.

    A number that several series have is judged by the coupon that can be used best. Raises a `SyrveError` if Syrve gives no answer:
    an outage is no verdict.
    """
    judged = [(coupon_verdict(coupon, now), coupon) for coupon in client.coupons(organization_id, number)]
    if not judged:
        return CouponJudgement("unknown", _REASONS["unknown"], None)
    verdict, coupon = min(judged, key=lambda each: _BEST_FIRST.index(each[0]))
    reason = _UNREADABLE if verdict == "unknown" and coupon.lost else _REASONS[verdict]
    return CouponJudgement(verdict, reason, coupon)


def _is_unreadable(coupon: Coupon) -> bool:
    return any(problem.path.rpartition(".")[2] in _DECISIVE for problem in coupon.lost)
