create or replace function wallet.follow_holds() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
    concerned uuid[];
begin
    select coalesce(array_agg(distinct coalesce(known.hold_id, named.hold_id)), '{}') into concerned
    from (
        select case operation.kind when 'hold' then operation.operation_id else operation.hold_id end as hold_id
        from added as event
        inner join wallet.operation as operation on event.operation_id = operation.operation_id
        where operation.kind = 'hold'
            or ((operation.kind = 'cancel_hold' or operation.consumes_hold) and event.state = 'confirmed')
        union
        select (event.evidence ->> 'transaction_id')::uuid
        from added as event
        inner join wallet.operation as operation on event.operation_id = operation.operation_id
        where operation.kind = 'hold' and event.evidence ? 'transaction_id'
    ) as named
    left join wallet.hold as known on named.hold_id = known.transaction_id;
    perform wallet.lock_holds(concerned);

    insert into wallet.hold as known (
        hold_id, organization_id, customer_id, wallet_id, amount, order_id, source, observed, transaction_id, state, opened_at, confirmed_at,
        closed_at, closed_by, closing_operation_id
    )
    select
        operation.operation_id, operation.organization_id, operation.customer_id, operation.wallet_id, operation.amount, operation.order_id,
        operation.source, told.is_observed, told.transaction_id, told.state, told.opened_at, told.confirmed_at,
        case
            when told.state = 'rejected' then greatest(told.opened_at, told.rejected_at)
            when ending.occurred_at is not null then greatest(told.opened_at, ending.occurred_at)
        end,
        case
            when told.state = 'rejected' then 'rejected'
            when ending.kind = 'cancel_hold' then 'cancelled'
            when ending.kind is not null then 'consumed'
        end,
        case when told.state <> 'rejected' then ending.operation_id end
    from unnest(concerned) as one (hold_id)
    inner join wallet.operation as operation on one.hold_id = operation.operation_id and operation.kind = 'hold'
    cross join lateral (
        select
            (array_agg(event.state order by event.sequence desc))[1] as state,
            (array_agg(event.state order by event.sequence))[1] <> 'planned' as is_observed,
            min(event.occurred_at) filter (where event.state in ('sent', 'confirmed', 'unknown')) as opened_at,
            min(event.occurred_at) filter (where event.state = 'confirmed') as confirmed_at,
            min(event.occurred_at) filter (where event.state = 'rejected') as rejected_at,
            coalesce(
                (max(event.evidence ->> 'transaction_id'))::uuid,
                case when (array_agg(event.state order by event.sequence))[1] <> 'planned' then operation.operation_id end
            ) as transaction_id
        from wallet.operation_event as event
        where event.operation_id = operation.operation_id
    ) as told
    left join lateral (
        select ended.operation_id, ended.kind, event.occurred_at
        from wallet.operation as ended
        inner join wallet.operation_event as event on ended.operation_id = event.operation_id and event.state = 'confirmed'
        where
            ended.hold_id in (operation.operation_id, told.transaction_id)
            and (ended.kind = 'cancel_hold' or ended.consumes_hold)
        order by event.occurred_at, ended.operation_id
        limit 1
    ) as ending on told.state <> 'rejected'
    where told.opened_at is not null
    on conflict (hold_id) do update set
        transaction_id = excluded.transaction_id,
        state = excluded.state,
        opened_at = excluded.opened_at,
        confirmed_at = excluded.confirmed_at,
        closed_at = excluded.closed_at,
        closed_by = excluded.closed_by,
        closing_operation_id = excluded.closing_operation_id,
        recorded_at = clock_timestamp()
    where
        (known.transaction_id, known.state, known.opened_at, known.confirmed_at, known.closed_at, known.closed_by, known.closing_operation_id)
        is distinct from (
            excluded.transaction_id, excluded.state, excluded.opened_at, excluded.confirmed_at, excluded.closed_at, excluded.closed_by,
            excluded.closing_operation_id
        );
    return null;
end
$$;
