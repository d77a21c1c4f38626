-- Operations without an outcome for which evidence may be looked for, the youngest first: balances are evidence for a short time only. Before them
-- come those whose answer the asking machine has kept, also where a balance was believed in between.
select
    unsettled.operation_id::text,
    unsettled.organization_id::text
from wallet.unsettled_operation as unsettled
where
    unsettled.operation_id = any(%(kept)s::uuid[])
    or (
        unsettled.settled_at is null
        and unsettled.state in ('sent', 'unknown')
        and unsettled.sent_at < now() - make_interval(secs => %(least_age_seconds)s)
        and (%(organization_ids)s::uuid[] is null or unsettled.organization_id = any(%(organization_ids)s::uuid[]))
    )
order by
    unsettled.operation_id = any(%(kept)s::uuid[]) desc,
    unsettled.sent_at desc
limit %(operations)s;
