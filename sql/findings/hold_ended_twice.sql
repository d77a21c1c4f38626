-- rule: hold_ended_twice
-- meaning: A hold was reported both cancelled and consumed, or consumed by two: for different orders, or twice by one source under different keys.
--   The later report is older than settle_grace_seconds. Only one end can be true, so either the guest paid or the money went back.
-- severity: high
-- what to do: Look into the back office for what ended the hold. If the cancellation is true, the order is unpaid, or was paid otherwise; if the
--   consumption is true, nothing was given back. Correct the wrong report (docs/wallet.md).
-- blind to: One consumption that two sources report for the same order is taken for one. An end that does not agree with
--   the hold ended nothing (hold_end_contested).
select
    'hold:' || hold.hold_id as subject,
    hold.organization_id,
    hold.customer_id,
    hold.wallet_id,
    hold.hold_id,
    hold.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'hold_id', hold.hold_id,
        'transaction_id', hold.transaction_id,
        'amount', hold.amount,
        'order_id', hold.order_id,
        'cancellation_ids', ended.cancellation_ids,
        'consumption_ids', ended.consumption_ids,
        'last_ended_at', ended.last_ended_at
    ) as evidence
from wallet.hold_ended_again as doubt
inner join wallet.hold as hold on doubt.hold_id = hold.hold_id
inner join wallet.operation as made on hold.hold_id = made.operation_id
cross join
    lateral (
        select
            coalesce(array_agg(ending.operation_id order by ending.occurred_at, ending.operation_id) filter (where not ending.consumes_hold), '{}')
                as cancellation_ids,
            coalesce(array_agg(ending.operation_id order by ending.occurred_at, ending.operation_id) filter (where ending.consumes_hold), '{}')
                as consumption_ids,
            coalesce(max(ending.of_source) filter (where ending.consumes_hold), 0) as most_of_a_source,
            count(distinct ending.order_id) filter (where ending.consumes_hold and ending.source <> 'transactions') as orders,
            max(ending.occurred_at) as last_ended_at
        from (
            select
                operation.operation_id,
                operation.consumes_hold,
                operation.source,
                operation.order_id,
                latest.occurred_at,
                count(*) over (partition by operation.consumes_hold, operation.source) as of_source
            from wallet.operation as operation
            inner join lateral (
                select event.state, event.occurred_at
                from wallet.operation_event as event
                where event.operation_id = operation.operation_id and event.occurred_at <= %(as_of)s
                order by event.sequence desc
                limit 1
            ) as latest on latest.state = 'confirmed'
            where
                operation.hold_id in (hold.hold_id, hold.transaction_id)
                and (operation.kind = 'cancel_hold' or operation.consumes_hold)
                and wallet.ending_agrees(operation, made)
        ) as ending
    ) as ended
where
    doubt.organization_id = %(organization_id)s
    and tstzrange(doubt.ended_again_at, doubt.ended_again_until) @> %(as_of)s
    and hold.opened_at <= %(as_of)s
    and (
        cardinality(ended.cancellation_ids) > 0 and cardinality(ended.consumption_ids) > 0
        or ended.most_of_a_source > 1
        or ended.orders > 1
    )
    and ended.last_ended_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
