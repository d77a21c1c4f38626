"""Coupons of the cloud dialect: several by one number, series that still have some, pages, and the switches about them."""

import re
from typing import Any

import pytest

from syrve_simulator.control import SimulatorRefusedError


@pytest.fixture
def series(cloud: Any, cloud_api: Any, organization_id: Any) -> Any:
    listed = cloud_api.loyalty("coupons/series", organization_id).json()
    assert set(listed) == {"seriesWithNotActivatedCoupons"}
    return listed["seriesWithNotActivatedCoupons"]


def ask(api: Any, organization_id: Any, number: Any, **body: Any) -> Any:
    return api.loyalty("coupons/info", organization_id, number=number, **body)


def page(api: Any, organization_id: Any, series: Any, **body: Any) -> Any:
    answer = api.loyalty("coupons/by_series", organization_id, series=series["number"], **body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"notActivatedCoupon"}
    return answer.json()["notActivatedCoupon"]


def test_coupons_are_told_in_an_array_used_and_deleted_ones_too(
    cloud: Any, cloud_api: Any, organization_id: Any
) -> None:
    for known in cloud.control.coupons(organization_id)[:60]:
        (coupon,) = ask(cloud_api, organization_id, known["number"]).json()["couponInfo"]
        assert set(coupon) == {"id", "number", "seriesName", "seriesId", "whenActivated", "isDeleted"}
        assert (coupon["number"], coupon["isDeleted"]) == (known["number"], known["is_deleted"])
        assert (coupon["whenActivated"] is not None) == known["is_used"]
        assert not known["is_used"] or re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00\.000", coupon["whenActivated"])


def test_number_of_two_series_is_told_twice_or_by_series(
    cloud: Any, cloud_api: Any, organization_id: Any, series: Any
) -> None:
    first, second = series[:2]
    cloud.control.put_coupons(organization_id, [{"number": "TWICE", "series_id": one["id"]} for one in (first, second)])

    both = ask(cloud_api, organization_id, "TWICE").json()["couponInfo"]
    (one,) = ask(cloud_api, organization_id, "TWICE", series=second["number"]).json()["couponInfo"]

    assert [coupon["seriesId"] for coupon in both] == [first["id"], second["id"]]
    assert one["seriesName"] == second["number"]


@pytest.mark.parametrize(
    ("setting", "status", "content"),
    [("empty", 200, {"couponInfo": []}), ("null", 200, {"couponInfo": None}), ("error", 400, None)],
)
def test_unknown_coupon_follows_its_switch(
    cloud: Any, cloud_api: Any, organization_id: Any, setting: Any, status: Any, content: Any
) -> None:
    cloud.control.set_switches(unknown_coupon=setting)

    answer = ask(cloud_api, organization_id, "NO-SUCH-COUPON")

    assert answer.status_code == status
    assert answer.json() == content or (content is None and answer.json()["errorCode"] == "Coupon_CouponNotFound")


@pytest.mark.parametrize(("setting", "status"), [("empty", 200), ("null", 200), ("error", 400)])
def test_unknown_coupon_follows_its_switch_in_reference(
    simulator: Any, api: Any, organization_id: Any, setting: Any, status: Any
) -> None:
    simulator.control.set_switches(unknown_coupon=setting)

    answer = ask(api, organization_id, "NO-SUCH-COUPON")

    assert answer.status_code == status
    assert answer.json().get("couponInfo") is None


def test_pages_hold_every_coupon_that_is_left_once(
    cloud: Any, cloud_api: Any, organization_id: Any, series: Any
) -> None:
    for one in series:
        left = {
            coupon["number"]
            for coupon in cloud.control.coupons(organization_id)
            if coupon["series_id"] == one["id"] and not coupon["is_used"] and not coupon["is_deleted"]
        }
        pages = [page(cloud_api, organization_id, one, page=number, pageSize=4) for number in range(8)]
        listed = [coupon["number"] for content in pages for coupon in content]
        assert len(listed) == len(set(listed)) == len(left)
        assert set(listed) == left
        assert {len(content) for content in pages[: len(left) // 4]} == {4}
        assert page(cloud_api, organization_id, one) == [coupon for content in pages for coupon in content]
        assert set(pages[0][0]) == {"id", "number", "seriesName", "seriesId"}


def test_page_is_no_larger_than_the_service_allows(
    cloud: Any, cloud_api: Any, organization_id: Any, series: Any
) -> None:
    cloud.control.set_switches(max_page_size=3)

    first, second = (page(cloud_api, organization_id, series[0], page=number, pageSize=500) for number in (0, 1))

    assert len(first) == len(second) == 3
    assert first != second


def test_unknown_series_is_an_empty_page_and_a_wrong_page_is_400(cloud_api: Any, organization_id: Any) -> None:
    assert page(cloud_api, organization_id, {"number": "No such series"}) == []
    for wrong in ({"page": -1}, {"pageSize": 0}, {"page": "first"}):
        answer = cloud_api.loyalty("coupons/by_series", organization_id, series="x", **wrong)
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["errorDescription"]


def test_series_disappears_with_its_last_coupon(cloud: Any, cloud_api: Any) -> None:
    organization_id = cloud.control.organizations()[1]["organization_id"]
    listed = cloud_api.loyalty("coupons/series", organization_id).json()["seriesWithNotActivatedCoupons"]
    assert all(set(one) == {"id", "number"} for one in listed)
    gone = listed[0]
    left = [one for one in cloud.control.coupons(organization_id) if one["series_id"] == gone["id"]]

    cloud.control.put_coupons(
        organization_id,
        [
            {"number": one["number"], "series_id": gone["id"], "is_used": place % 2 == 0, "is_deleted": place % 2 == 1}
            for place, one in enumerate(left)
        ],
    )

    after = cloud_api.loyalty("coupons/series", organization_id).json()["seriesWithNotActivatedCoupons"]
    assert after == listed[1:]
    (coupon,) = ask(cloud_api, organization_id, left[0]["number"]).json()["couponInfo"]
    assert coupon["whenActivated"] is not None


def test_series_put_on_the_control_path_are_listed(cloud: Any, cloud_api: Any) -> None:
    organization_id = cloud.control.organizations()[1]["organization_id"]
    new = {"id": "11111111-2222-4333-8444-555555555555", "number": "Only one"}

    cloud.control.put_coupon_series(organization_id, [new])

    listed = cloud_api.loyalty("coupons/series", organization_id).json()
    assert listed == {"seriesWithNotActivatedCoupons": [new]}


def test_coupon_of_an_unknown_series_is_refused(cloud: Any, organization_id: Any) -> None:
    with pytest.raises(SimulatorRefusedError, match="series_id"):
        cloud.control.put_coupons(organization_id, [{"number": "X", "series_id": "no such"}])
