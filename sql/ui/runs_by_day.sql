-- What the runs of the last 14 days did, by day (UTC). Imports and pushes count other things in these columns: rows read or sent,
-- not customers looked up, and what they changed is no change seen at Syrve.
select
    date_trunc('day', updated_at) as day,
    sum(requested) filter (
        where split_part(task, '.', 1) <> all(%(not_looking_up)s)
    ) as requested,
    sum(changed) filter (
        where split_part(task, '.', 1) <> all(%(not_looking_up)s)
    ) as changed,
    sum(not_found) as not_found,
    sum(rejected) as rejected,
    sum(retries) as retries,
    sum(rate_limited) as rate_limited,
    sum(calls) as calls
from sync.run
where updated_at > now() - interval '14 days'
group by 1
order by 1;
