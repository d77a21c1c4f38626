-- The commonest reasons among the newest open rejects.
select
    entity,
    reason,
    count(*) as rejects
from (
    select entity, reason
    from sync.reject
    where resolved_at is null
    order by reject_id desc
    limit 10000
) as open_reject
group by entity, reason
order by rejects desc, reason
limit 5;
