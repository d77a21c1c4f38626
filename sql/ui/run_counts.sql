-- What each DAG did in the given runs.
select
    split_part(task, '.', 1) as dag_id,
    run_id,
    sum(requested) as requested,
    sum(changed) as changed,
    sum(not_found) as not_found,
    sum(rejected) as rejected,
    sum(failed) as failed,
    sum(held_back) as held_back
from sync.run
where run_id = any(%(run_ids)s)
group by 1, 2;
