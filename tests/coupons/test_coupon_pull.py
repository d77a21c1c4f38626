"""Coupon series, on a real Postgres and a real HTTP service."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fixtures.coupons import Couponing, series
from syrve.api.errors import LoyaltyNotConfigured, MalformedAnswer, PermissionDenied, SyrveError, Transient

Versions = Callable[[], dict[str, list[Any]]]


def test_series_land_exactly_as_listed(coupons: Couponing) -> None:
    coupons.offer(
        series(1, discountValue="99.90"), series(2, discountType="Fixed", discountValue="0", isActivated=False)
    )

    counts = coupons.pull_coupons()

    columns = "name, is_activated, discount_type, discount_value, gone_at, first_seen_at = changed_at"
    assert coupons.rows(f"select {columns} from syrve.coupon_series order by name") == [
        ("Серия 1", True, "Percent", Decimal("99.90"), None, True),
        ("Серия 2", False, "Fixed", Decimal(0), None, True),
    ]
    assert (counts.requested, counts.found, counts.changed, counts.unchanged) == (2, 2, 2, 0)


def test_second_run_changes_no_row(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    before = row_versions()

    counts = coupons.pull_coupons()

    assert row_versions() == before
    assert (counts.changed, counts.unchanged) == (0, 3)


def test_changed_discount_writes_that_series_only(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    before = row_versions()["coupon_series"]
    coupons.offer(series(1), series(2, discountValue="15"), series(3))

    counts = coupons.pull_coupons()

    assert (counts.changed, counts.unchanged) == (1, 2)
    assert len(set(row_versions()["coupon_series"]) - set(before)) == 1
    query = "select name, discount_value, changed_at > first_seen_at from syrve.coupon_series where changed_at = last_seen_at"
    assert ("Серия 2", Decimal(15), True) in coupons.rows(query)


def test_a_discount_written_with_more_zeros_is_no_change(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.offer(series(1, discountValue="12.50"), series(2), series(3))

    assert coupons.pull_coupons().changed == 0


def test_series_that_a_complete_listing_lacks_is_gone_and_opens_again_when_it_returns(coupons: Couponing) -> None:
    coupons.pull_coupons()
    first_seen_at = coupons.value("select first_seen_at from syrve.coupon_series where name = 'Серия 2'")
    coupons.offer(series(1), series(3))

    assert coupons.pull_coupons().changed == 1
    assert coupons.offered == {"Серия 1", "Серия 3"}
    assert coupons.rows("select gone_at = changed_at from syrve.coupon_series where name = 'Серия 2'") == [(True,)]
    assert coupons.pull_coupons().changed == 0, "it is gone once"

    coupons.offer(series(1), series(2), series(3))
    assert coupons.pull_coupons().changed == 1
    assert coupons.offered == {"Серия 1", "Серия 2", "Серия 3"}
    query = "select first_seen_at, changed_at > first_seen_at from syrve.coupon_series where name = 'Серия 2'"
    assert coupons.rows(query) == [(first_seen_at, True)]


def test_empty_complete_listing_retires_all(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.offer()

    counts = coupons.pull_coupons()

    assert (counts.requested, counts.changed) == (0, 3)
    assert coupons.offered == set()


LISTED = {"correlationId": "5f4e0006-0000-4000-8000-0000000000ff"}
UNUSABLE_LISTINGS: dict[str, tuple[dict[str, object], type[SyrveError]]] = {
    "refused": ({"fault": "status", "status": 400, "body": {"error": "Bad"}}, SyrveError),
    "failing": ({"fault": "status", "status": 503}, Transient),
    "cut short": ({"fault": "truncate"}, Transient),
    "a web page": ({"fault": "not_json"}, Transient),
    "without the list": ({"fault": "status", "status": 200, "body": LISTED}, MalformedAnswer),
    "list is null": ({"fault": "status", "status": 200, "body": LISTED | {"couponSeries": None}}, MalformedAnswer),
    "other organizations only": (
        {"fault": "status", "status": 200, "body": LISTED | {"couponSeries": []}},
        MalformedAnswer,
    ),
}


@pytest.mark.parametrize("case", UNUSABLE_LISTINGS)
def test_listing_that_is_not_complete_retires_nothing(coupons: Couponing, row_versions: Versions, case: str) -> None:
    fault, error = UNUSABLE_LISTINGS[case]
    coupons.pull_coupons()
    before = row_versions()
    coupons.simulator.control.set_faults([{"operation": "coupon_series"} | fault])

    with pytest.raises(error):
        coupons.pull_coupons(call_deadline_seconds=0.2)

    assert row_versions() == before
    assert coupons.offered == {"Серия 1", "Серия 2", "Серия 3"}


def test_series_that_cannot_be_read_refuses_the_listing_and_retires_nothing(coupons: Couponing) -> None:
    coupons.pull_coupons()
    items = [{"organizationId": coupons.organization_id, "items": [{"id": "no-uuid", "name": "Серия 9"}]}]
    body = LISTED | {"couponSeries": items}
    coupons.simulator.control.set_faults(
        [{"operation": "coupon_series", "fault": "status", "status": 200, "body": body}]
    )

    with pytest.raises(MalformedAnswer, match=r"items\[0\].id is not a uuid"):
        coupons.pull_coupons()

    assert len(coupons.offered) == 3


def test_missing_right_or_loyalty_retires_nothing_and_says_so(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.simulator.control.set_switches(removed_rights=["coupon_series"])
    with pytest.raises(PermissionDenied, match="Loyalty: coupons"):
        coupons.pull_coupons()

    coupons.simulator.control.set_switches(removed_rights=[], organizations_without_loyalty=[coupons.organization_id])
    with pytest.raises(LoyaltyNotConfigured):
        coupons.pull_coupons()

    assert len(coupons.offered) == 3


def test_odd_discount_is_kept_as_a_reject_until_it_is_put_right(coupons: Couponing) -> None:
    items = [{"organizationId": coupons.organization_id, "items": [series(1, discountValue="a tenth")]}]
    body = LISTED | {"couponSeries": items}
    coupons.simulator.control.set_faults(
        [{"operation": "coupon_series", "fault": "status", "status": 200, "body": body}]
    )

    counts = coupons.pull_coupons()

    assert counts.cleaned == 1
    assert coupons.rows("select name, discount_value from syrve.coupon_series") == [("Серия 1", None)]
    query = "select entity, stage, reason, resolved_at is null, payload ->> 'received' from sync.reject"
    assert coupons.rows(query) == [("coupon_series", "field", "is not a number", True, "a tenth")]

    coupons.simulator.control.clear_faults()
    coupons.pull_coupons()
    assert coupons.value("select resolved_at is not null from sync.reject")


def test_last_seen_moves_once_a_day_and_is_no_change(coupons: Couponing) -> None:
    coupons.pull_coupons()
    coupons.execute("update syrve.coupon_series set last_seen_at = now() - interval '25 hours' where name = 'Серия 1'")
    coupons.execute("update syrve.coupon_series set last_seen_at = now() - interval '23 hours' where name = 'Серия 2'")

    counts = coupons.pull_coupons()

    query = "select name, last_seen_at > now() - interval '1 hour', changed_at = first_seen_at from syrve.coupon_series"
    assert coupons.rows(f"{query} order by name") == [
        ("Серия 1", True, True),
        ("Серия 2", False, True),
        ("Серия 3", True, True),
    ]
    assert counts.changed == 0


def test_older_listing_than_what_is_stored_changes_nothing(coupons: Couponing, row_versions: Versions) -> None:
    coupons.pull_coupons()
    coupons.execute("update syrve.coupon_series set last_seen_at = now() + interval '1 hour'")
    before = row_versions()
    coupons.offer(series(1, name="older"))

    coupons.pull_coupons()

    assert row_versions() == before


def test_organizations_do_not_touch_each_other(coupons: Couponing) -> None:
    other = coupons.other_organization_id
    coupons.offer(series(1), organization_id=other)
    coupons.pull_coupons()
    coupons.pull_coupons(other)
    coupons.offer()

    coupons.pull_coupons()

    query = "select organization_id::text, count(*) filter (where gone_at is null) from syrve.coupon_series group by 1"
    assert dict(coupons.rows(query)) == {coupons.organization_id: 0, other: 1}
