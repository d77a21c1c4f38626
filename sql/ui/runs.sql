-- The newest runs, their tasks added up.
select
    dag_id,
    run_id,
    min(started_at) as started_at,
    max(updated_at) as ended_at,
    sum(requested) as requested,
    sum(changed) as changed,
    sum(not_found) as not_found,
    sum(rejected) as rejected,
    sum(failed) as failed,
    sum(held_back) as held_back,
    sum(retries) as retries,
    sum(rate_limited) as rate_limited,
    sum(calls) as calls
from (
    select *, split_part(task, '.', 1) as dag_id
    from sync.run
    order by updated_at desc
    limit 1000
) as newest
group by dag_id, run_id
order by ended_at desc
limit 60;
