-- Operations without an outcome for ten minutes or more, the oldest first.
select
    operation_id::text as operation_id,
    kind,
    state,
    amount,
    coalesce(sent_at, planned_at) as since
from wallet.unsettled_operation
where settled_at is null and coalesce(sent_at, planned_at) < now() - interval '10 minutes'
order by since
limit %(most)s;
