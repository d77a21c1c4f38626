-- Brings one organization's coupon series into step with a complete listing, and tells how many changed.
-- A series that the listing no longer has is marked gone, not removed; one that returns is open again.
with retired as (
    update syrve.coupon_series as mirrored
    set gone_at = %(seen_at)s, changed_at = %(seen_at)s
    where
        mirrored.organization_id = %(organization_id)s
        and mirrored.gone_at is null
        and mirrored.last_seen_at < %(seen_at)s
        and not exists (
            select 1
            from staging_coupon_series as staged
            where staged.organization_id = mirrored.organization_id and staged.series_id = mirrored.series_id
        )
    returning mirrored.series_id
),

differing as materialized (
    select staged.series_id
    from staging_coupon_series as staged
    left join syrve.coupon_series as mirrored
        on staged.organization_id = mirrored.organization_id and staged.series_id = mirrored.series_id
    where
        mirrored.series_id is null
        or mirrored.gone_at is not null
        or (mirrored.name, mirrored.is_activated, mirrored.discount_type, mirrored.discount_value)
        is distinct from (staged.name, staged.is_activated, staged.discount_type, staged.discount_value)
),

merged as (
    insert into syrve.coupon_series as mirrored (
        organization_id, series_id, name, is_activated, discount_type, discount_value, first_seen_at, changed_at, last_seen_at
    )
    select
        organization_id,
        series_id,
        name,
        is_activated,
        discount_type,
        discount_value,
        seen_at as first_seen_at,
        seen_at as changed_at,
        seen_at as last_seen_at
    from staging_coupon_series
    order by series_id
    on conflict (organization_id, series_id) do update
        set
            name = excluded.name,
            is_activated = excluded.is_activated,
            discount_type = excluded.discount_type,
            discount_value = excluded.discount_value,
            changed_at = case
                when
                    mirrored.gone_at is not null
                    or (mirrored.name, mirrored.is_activated, mirrored.discount_type, mirrored.discount_value)
                    is distinct from (excluded.name, excluded.is_activated, excluded.discount_type, excluded.discount_value)
                    then excluded.changed_at
                else mirrored.changed_at
            end,
            last_seen_at = excluded.last_seen_at,
            gone_at = null
        where
        excluded.last_seen_at > mirrored.last_seen_at
        and (
            mirrored.gone_at is not null
            or (mirrored.name, mirrored.is_activated, mirrored.discount_type, mirrored.discount_value)
            is distinct from (excluded.name, excluded.is_activated, excluded.discount_type, excluded.discount_value)
            or excluded.last_seen_at >= mirrored.last_seen_at + interval '1 day'
        )
    returning mirrored.series_id
)

select
    (select count(*) from retired)
    + (select count(*) from merged inner join differing on merged.series_id = differing.series_id) as changed;
