-- The newest open rejects, counted by reason. `reason_key` stands for the reason in addresses.
select
    entity,
    stage,
    reason,
    left(encode(sha256(convert_to(reason, 'UTF8')), 'hex'), 16) as reason_key,
    count(*) as rejects,
    sum(occurrences) as occurrences,
    count(distinct run_id) as runs,
    max(run_id) as run_id,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from (
    select entity, stage, reason, occurrences, run_id, first_seen_at, last_seen_at
    from sync.reject
    where resolved_at is null
    order by reject_id desc
    limit %(most)s
) as open_reject
group by entity, stage, reason
order by rejects desc, reason
limit 100;
