-- Writes the watched coupons that are new or look different from before, and tells how many.
with merged as (
    insert into syrve.coupon as mirrored (
        organization_id, number, series_id, coupon_id, series_name, is_used, activated_at, activated_by, not_after,
        verdict, checked_at
    )
    select
        organization_id,
        number,
        series_id,
        coupon_id,
        series_name,
        is_used,
        activated_at,
        activated_by,
        not_after,
        verdict,
        checked_at
    from staging_coupon
    order by organization_id, number, series_id
    on conflict (organization_id, number, series_id) do update
        set
            coupon_id = excluded.coupon_id,
            series_name = excluded.series_name,
            is_used = excluded.is_used,
            activated_at = excluded.activated_at,
            activated_by = excluded.activated_by,
            not_after = excluded.not_after,
            verdict = excluded.verdict,
            checked_at = excluded.checked_at
        where
        excluded.checked_at > mirrored.checked_at
        and (mirrored.is_used, mirrored.activated_at, mirrored.activated_by, mirrored.not_after, mirrored.verdict, mirrored.series_name)
        is distinct from
        (excluded.is_used, excluded.activated_at, excluded.activated_by, excluded.not_after, excluded.verdict, excluded.series_name)
    returning mirrored.number
)

select count(*) as changed
from merged;
