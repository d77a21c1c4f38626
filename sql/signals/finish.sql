-- Marks the signals as worked off, and counts them. A phone is not needed any more.
with counted as (
    insert into sync.signal_day as kept (organization_id, kind, day, received, followed, new_customers)
    select
        organization_id,
        kind,
        (received_at at time zone 'UTC')::date as day,
        count(*) as received,
        count(*) filter (where is_followed) as followed,
        count(*) filter (where is_followed and not is_known) as new_customers
    from staging_signal
    group by organization_id, kind, (received_at at time zone 'UTC')::date
    order by organization_id, kind, (received_at at time zone 'UTC')::date
    on conflict (organization_id, kind, day) do update
        set
            received = kept.received + excluded.received,
            followed = kept.followed + excluded.followed,
            new_customers = kept.new_customers + excluded.new_customers
    returning 1
),

taken as (
    update sync.signal as known
    set
        taken_at = clock_timestamp(),
        phone = null,
        identity_kind = case when staged.is_followed then staged.identity_kind end,
        identity_value = case when staged.is_followed then staged.identity_value end,
        is_followed = staged.is_followed,
        is_new = staged.is_followed and not staged.is_known,
        evaluated_at = case when not staged.is_followed then clock_timestamp() end
    from staging_signal as staged
    where known.signal_id = staged.signal_id
    returning
        known.is_followed,
        known.is_new,
        known.kind
)

select
    count(*) as taken,
    count(*) filter (where is_followed) as followed,
    count(*) filter (where is_new) as new_customers,
    count(*) filter (where kind like 'order%%') as orders,
    (select count(*) from counted) as days
from taken;
