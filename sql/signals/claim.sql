-- Takes the signals that wait longest; those that another task is at are passed over. Organizations take turns, so that a storm of one keeps no signal
-- of another waiting. None happened later than it was received. With an equality in place of `between` the planner walks the primary key through the
-- signals of all others.
with recursive listed as (
    (
        select organization_id
        from sync.signal
        where taken_at is null
        order by organization_id
        limit 1
    )
    union all
    select
        (
            select following.organization_id
            from sync.signal as following
            where following.taken_at is null and following.organization_id > listed.organization_id
            order by following.organization_id
            limit 1
        ) as organization_id
    from listed
    where listed.organization_id is not null
),

in_turn as materialized (
    select
        listed.organization_id,
        own.signal_id,
        row_number() over (partition by listed.organization_id order by own.signal_id) as place
    from listed
    inner join lateral (
        select known.signal_id
        from sync.signal as known
        where known.taken_at is null and known.organization_id between listed.organization_id and listed.organization_id
        order by known.organization_id, known.signal_id
        limit %(batch_signals)s
    ) as own on true
    order by place, own.signal_id
    limit %(batch_signals)s
),

shares as materialized (
    select
        organization_id,
        count(*) as signals
    from in_turn
    group by organization_id
),

waiting as materialized (
    select own.*
    from shares
    inner join lateral (
        select known.*
        from sync.signal as known
        where known.taken_at is null and known.organization_id between shares.organization_id and shares.organization_id
        order by known.organization_id, known.signal_id
        limit shares.signals
        for update skip locked
    ) as own on true
),

staged as (
    insert into staging_signal (
        signal_id, content_key, organization_id, kind, channel, happened_at, is_dated, received_at, customer_id, phone, order_id, external_number, amount, wallet_id,
        change, balance, change_type, order_number
    )
    select
        signal_id,
        content_key,
        organization_id,
        kind,
        channel,
        least(coalesce(event_at, received_at), received_at) as happened_at,
        event_at is not null as is_dated,
        received_at,
        customer_id,
        phone,
        order_id,
        external_number,
        amount,
        wallet_id,
        change,
        balance,
        change_type,
        order_number
    from waiting
    returning 1
)

select count(*) as signals
from staged;
