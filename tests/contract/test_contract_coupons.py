"""Coupons and series through a stranger's client."""

from typing import Any


async def test_every_coupon_is_told(stranger: Any, service: Any, organization_id: Any) -> None:
    for known in service.control.coupons(organization_id)[:80]:
        coupons = stranger.iiko.loyalty.coupons
        answer = stranger.faithful(await coupons.info(organization_id=organization_id, number=known["number"]))
        (coupon,) = answer.coupon_info
        assert (coupon.number, coupon.series_id, coupon.is_deleted) == (
            known["number"], known["series_id"], known["is_deleted"],
        )  # fmt: skip
        assert (coupon.when_activated is not None) == known["is_used"]


async def test_unknown_coupon_is_nothing_in_either_form(stranger: Any, service: Any, organization_id: Any) -> None:
    ask = {"organization_id": organization_id, "number": "NO-SUCH-COUPON"}

    empty = stranger.faithful(await stranger.iiko.loyalty.coupons.info(**ask))
    service.control.set_switches(unknown_coupon="null")
    null = stranger.faithful(await stranger.iiko.loyalty.coupons.info(**ask))

    assert (empty.coupon_info, null.coupon_info) == ([], None)


async def test_series_and_their_coupons_are_listed_page_by_page(
    stranger: Any, service: Any, organization_id: Any
) -> None:
    coupons = stranger.iiko.loyalty.coupons
    series = stranger.faithful(await coupons.series(organization_id=organization_id)).series_with_not_activated_coupons
    listed = []
    for one in series:
        page, number = None, 0
        while page is None or len(page) == 4:
            answer = await coupons.by_series(
                organization_id=organization_id, series=one.number, page=number, page_size=4
            )
            page, number = stranger.faithful(answer).not_activated_coupon, number + 1
            assert {(coupon.series_id, coupon.series_name) for coupon in page} <= {(one.id, one.number)}
            listed += [coupon.number for coupon in page]

    known = service.control.coupons(organization_id)
    assert sorted(listed) == sorted(one["number"] for one in known if not one["is_used"] and not one["is_deleted"])


async def test_coupon_is_asked_for_within_its_series(stranger: Any, service: Any, organization_id: Any) -> None:
    coupons = stranger.iiko.loyalty.coupons
    first, second = stranger.faithful(
        await coupons.series(organization_id=organization_id)
    ).series_with_not_activated_coupons[:2]
    service.control.put_coupons(organization_id, [{"number": "BOTH", "series_id": one.id} for one in (first, second)])

    both = stranger.faithful(await coupons.info(organization_id=organization_id, number="BOTH")).coupon_info
    (one,) = stranger.faithful(
        await coupons.info(organization_id=organization_id, number="BOTH", series=second.number)
    ).coupon_info

    assert {coupon.series_id for coupon in both} == {first.id, second.id}
    assert one.series_id == second.id
