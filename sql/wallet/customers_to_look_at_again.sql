-- Customers with operations that we sent some time ago and that were not looked for in Syrve's report since, each with these operations: those of which
-- an answer was lost first, of these the oldest. Last come those which an earlier look did not find there, as the report may be late, and what others
-- reported to have taken a hold of ours.
select
    sent.organization_id::text,
    sent.customer_id::text,
    min(sent.since) as since,
    max(sent.sent_at) as until,
    clock_timestamp() as looked_at,
    array_agg(sent.operation_id::text order by sent.sent_at, sent.operation_id) as operation_ids
from (
    select
        operation.operation_id,
        operation.organization_id,
        operation.customer_id,
        event.occurred_at as sent_at,
        -- The end of a hold is told from its beginning.
        least(event.occurred_at, ended.opened_at) as since,
        false as was_not_found
    from wallet.operation_event as event
    inner join wallet.operation as operation on event.operation_id = operation.operation_id
    left join wallet.transaction_bookmark as bookmark
        on operation.organization_id = bookmark.organization_id and operation.customer_id = bookmark.customer_id
    left join lateral (
        select min(hold.opened_at) as opened_at
        from wallet.hold as hold
        where operation.kind = 'cancel_hold' and operation.hold_id in (hold.hold_id, hold.transaction_id)
    ) as ended on true
    where
        event.state = 'sent'
        -- What we did was planned first; what others told of was not.
        and event.sequence = 2
        and event.occurred_at > clock_timestamp() - make_interval(days => %(days)s)
        and event.occurred_at <= clock_timestamp() - make_interval(secs => %(least_age_seconds)s)
        -- A bookmark ahead of the clock was set while the clock ran ahead.
        and event.occurred_at > case when bookmark.looked_again_until <= clock_timestamp() then bookmark.looked_again_until else '-infinity' end
        and operation.customer_id is not null
        and operation.organization_id = any(%(organization_ids)s::uuid[])
    union all
    select
        operation.operation_id,
        operation.organization_id,
        coalesce(operation.customer_id, ended.customer_id) as customer_id,
        coalesce(call.occurred_at, ended.opened_at) as sent_at,
        least(call.occurred_at, ended.opened_at) as since,
        true as was_not_found
    from (
        select distinct on (look.operation_id)
            look.operation_id,
            look.is_shown
        from wallet.operation_look as look
        where look.organization_id = any(%(organization_ids)s::uuid[])
        order by look.operation_id asc, look.looked_at desc
    ) as looked
    inner join wallet.operation_state as operation on looked.operation_id = operation.operation_id
    left join wallet.operation_event as call on looked.operation_id = call.operation_id and call.sequence = 2 and call.state = 'sent'
    left join lateral (
        select
            hold.customer_id,
            hold.opened_at
        from wallet.hold as hold
        where (operation.kind = 'cancel_hold' or operation.consumes_hold) and operation.hold_id in (hold.hold_id, hold.transaction_id)
        order by hold.opened_at
        limit 1
    ) as ended on true
    where
        looked.is_shown is not true
        and coalesce(call.occurred_at, ended.opened_at) > clock_timestamp() - make_interval(days => %(days)s)
        -- What evidence or a person decided since is over.
        and case operation.state
            when 'confirmed' then operation.basis = case when call.operation_id is null then 'report' else 'answer' end
            when 'rejected' then operation.basis in ('answer', 'balance') and looked.is_shown is null
            else false
        end
    union all
    -- What others reported to have taken a hold of ours, once: the report has it long since, or it was not taken.
    select
        hold.closing_operation_id as operation_id,
        hold.organization_id,
        hold.customer_id,
        hold.opened_at as sent_at,
        hold.opened_at as since,
        true as was_not_found
    from wallet.hold as hold
    inner join wallet.operation as ending on hold.closing_operation_id = ending.operation_id
    where
        not hold.observed
        and hold.closed_by = 'consumed'
        and hold.closed_basis = 'report'
        and ending.source <> 'transactions'
        and hold.opened_at > clock_timestamp() - make_interval(days => %(days)s)
        and hold.recorded_at <= clock_timestamp() - make_interval(secs => %(consumption_age_seconds)s)
        and hold.organization_id = any(%(organization_ids)s::uuid[])
        and not exists (
            select
            from wallet.operation_look as look
            where look.operation_id = hold.closing_operation_id and look.organization_id = hold.organization_id
        )
) as sent
group by sent.organization_id, sent.customer_id
order by
    bool_and(sent.was_not_found) asc,
    bool_or(
        exists (
            select
            from wallet.operation_event as lost
            where lost.operation_id = sent.operation_id and lost.state = 'unknown'
        )
    ) desc,
    min(sent.sent_at) asc
limit %(customers)s;
