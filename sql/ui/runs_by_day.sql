-- What the runs of the last 14 days did, by day (UTC).
select
    date_trunc('day', updated_at) as day,
    sum(requested) as requested,
    sum(changed) as changed,
    sum(not_found) as not_found,
    sum(rejected) as rejected,
    sum(retries) as retries,
    sum(rate_limited) as rate_limited,
    sum(calls) as calls
from sync.run
where updated_at > now() - interval '14 days'
group by 1
order by 1;
