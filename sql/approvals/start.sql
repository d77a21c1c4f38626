-- Records a try of a task that plans, and counts the others of the same task of the same run.
with begun as (
    insert into sync.planning_start (dag_id, run_id, due_at, task_id, instance_id)
    values (%(dag_id)s, %(run_id)s, %(due_at)s, %(task_id)s, %(instance_id)s)
    on conflict (dag_id, run_id, due_at, task_id, instance_id) do nothing
)

select count(*)
from sync.planning_start as start
where
    start.dag_id = %(dag_id)s
    and start.run_id = %(run_id)s
    and start.due_at = %(due_at)s
    and start.task_id = %(task_id)s
    and start.instance_id <> %(instance_id)s::uuid;
