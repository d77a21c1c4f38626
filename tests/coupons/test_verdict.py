"""Whether a coupon can be used."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.models import Coupon
from syrve.coupons.verdict import coupon_verdict

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


def coupon(
    *,
    is_used: bool | None = False,
    activated_at: datetime | None = None,
    not_after: datetime | None = None,
    is_deleted: bool = False,
) -> Coupon:
    return Coupon("PROMO1", None, None, None, is_used, activated_at, None, not_after, is_deleted)


@pytest.mark.parametrize(
    ("given_coupon", "verdict"),
    [
        (coupon(), "valid"),
        (coupon(not_after=AFTER), "valid"),
        (coupon(not_after=NOW), "valid"),
        (coupon(not_after=BEFORE), "expired"),
        (coupon(is_used=True), "used"),
        (coupon(activated_at=BEFORE), "used"),
        (coupon(is_used=True, not_after=BEFORE), "used"),
        (coupon(is_deleted=True), "deleted"),
        (coupon(is_deleted=True, is_used=True, not_after=BEFORE), "deleted"),
        (coupon(is_used=None), "unknown"),
        (coupon(is_used=None, not_after=BEFORE), "expired"),
    ],
)
def test_deleted_counts_before_used_before_expired(given_coupon: Coupon, verdict: str) -> None:
    assert coupon_verdict(given_coupon, NOW) == verdict


moments = st.none() | st.sampled_from([BEFORE, NOW, AFTER])
coupons = st.builds(
    coupon, is_used=st.none() | st.booleans(), activated_at=moments, not_after=moments, is_deleted=st.booleans()
)


@given(one=coupons)
def test_only_a_coupon_known_to_be_unused_and_in_time_is_valid(one: Coupon) -> None:
    is_unused = one.is_used is False and one.activated_at is None
    in_time = one.not_after is None or one.not_after >= NOW

    assert (coupon_verdict(one, NOW) == "valid") == (is_unused and in_time and not one.is_deleted)


@given(one=coupons)
def test_a_coupon_that_is_no_longer_valid_does_not_become_valid_by_waiting(one: Coupon) -> None:
    if coupon_verdict(one, NOW) != "valid":
        assert coupon_verdict(one, AFTER + timedelta(days=1)) != "valid"
