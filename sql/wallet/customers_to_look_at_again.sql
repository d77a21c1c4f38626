-- Customers with operations that we sent some time ago and that were not looked for in Syrve's report since, each with these operations: those of which
-- an answer was lost first, of these the oldest.
select
    sent.organization_id::text,
    sent.customer_id::text,
    min(sent.sent_at) as since,
    max(sent.sent_at) as until,
    clock_timestamp() as looked_at,
    array_agg(sent.operation_id::text order by sent.sent_at, sent.operation_id) as operation_ids
from (
    select
        operation.operation_id,
        operation.organization_id,
        operation.customer_id,
        event.occurred_at as sent_at
    from wallet.operation_event as event
    inner join wallet.operation as operation on event.operation_id = operation.operation_id
    left join wallet.transaction_bookmark as bookmark
        on operation.organization_id = bookmark.organization_id and operation.customer_id = bookmark.customer_id
    where
        event.state = 'sent'
        -- What we did was planned first; what others told of was not.
        and event.sequence = 2
        and event.occurred_at > clock_timestamp() - make_interval(days => %(days)s)
        and event.occurred_at <= clock_timestamp() - make_interval(secs => %(least_age_seconds)s)
        and event.occurred_at > coalesce(bookmark.looked_again_until, '-infinity')
        and operation.kind in ('hold', 'topup', 'chargeoff')
        and operation.organization_id = any(%(organization_ids)s::uuid[])
) as sent
group by sent.organization_id, sent.customer_id
order by
    bool_or(
        exists (
            select
            from wallet.operation_event as lost
            where lost.operation_id = sent.operation_id and lost.state = 'unknown'
        )
    ) desc,
    min(sent.sent_at) asc
limit %(customers)s;
