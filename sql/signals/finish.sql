-- Marks the signals as taken, and counts them. A phone is not needed any more. Webhooks that had stopped are back; orders of the feed that are later than
-- the last webhook about one may mean that they have stopped, and deliveries of which only webhooks tell that the feed has (stopped.sql).
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

sorted as (
    select
        organization_id,
        case when kind = 'balance' then 'balance' else 'order' end as sort,
        max(received_at) as last_at
    from staging_signal
    where channel = 'webhook' and (kind = 'balance' or kind like 'order%%')
    group by organization_id, case when kind = 'balance' then 'balance' else 'order' end
    order by organization_id, case when kind = 'balance' then 'balance' else 'order' end
),

flowing as (
    insert into sync.signal_flow as flow (organization_id, sort, last_at)
    select
        organization_id,
        sort,
        last_at
    from sorted
    on conflict (organization_id, sort) do update
        set
            last_at = greatest(flow.last_at, excluded.last_at),
            unreported = 0,
            stopped_at = null,
            is_told = case when flow.stopped_at is null then flow.is_told else not flow.is_told end
    returning 1
),

unreported as (
    update sync.signal_flow as flow
    set unreported = flow.unreported + fed.orders
    from (
        select
            staged.organization_id,
            count(*) as orders
        from staging_signal as staged
        inner join sync.signal_flow as before on staged.organization_id = before.organization_id and before.sort = 'order'
        where
            staged.channel = 'feed'
            and staged.kind like 'order%%'
            and staged.happened_at > before.last_at
            and not exists (
                select
                from sorted
                where sorted.organization_id = staged.organization_id and sorted.sort = 'order'
            )
        group by staged.organization_id
    ) as fed
    where flow.organization_id = fed.organization_id and flow.sort = 'order'
    returning 1
),

unfed as (
    update sync.signal_flow as flow
    set unreported = flow.unreported + delivered.orders
    from (
        select
            staged.organization_id,
            count(*) as orders
        from staging_signal as staged
        inner join sync.signal as known on staged.signal_id = known.signal_id
        where staged.channel = 'webhook' and known.event_type ilike 'delivery%%'
        group by staged.organization_id
    ) as delivered
    where flow.organization_id = delivered.organization_id and flow.sort = 'feed'
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
    (select count(*) from counted) as days,
    (select count(*) from flowing) as flows,
    (select count(*) from unreported) as flows_without,
    (select count(*) from unfed) as feeds_without
from taken;
