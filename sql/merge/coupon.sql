-- Who used a coupon is left out if that was a person who was erased since.
update staging_coupon
set activated_by = null
where activated_by is not null and privacy.names_erased(organization_id, activated_by);

-- Brings the coupons just looked up into step with their answers, and tells how many numbers look different from before. What an answer
-- no longer has under its number is removed: a coupon that vanished must not go on looking valid.
with gone as (
    delete from syrve.coupon as mirrored
    using (select distinct organization_id, number, checked_at from staging_coupon) as asked
    where
        mirrored.organization_id = asked.organization_id
        and mirrored.number = asked.number
        and mirrored.checked_at < asked.checked_at
        and not exists (
            select 1
            from staging_coupon as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.number = mirrored.number
                and staged.series_id = mirrored.series_id
        )
    returning mirrored.number
),

merged as (
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
        and (
            mirrored.coupon_id, mirrored.series_name, mirrored.is_used, mirrored.activated_at, mirrored.activated_by, mirrored.not_after,
            mirrored.verdict
        )
        is distinct from (
            excluded.coupon_id, excluded.series_name, excluded.is_used, excluded.activated_at, excluded.activated_by, excluded.not_after,
            excluded.verdict
        )
    returning mirrored.number
)

select count(*) as changed
from (
    select number from gone
    union
    select number from merged
) as touched;
