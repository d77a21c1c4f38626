-- depends: 0032.membership-edits
-- In Airflow 3.3.2 a user who may start runs may also delete the tasks of others' runs and queue these again: new tasks begin with the first try, and the
-- run shows no clearing. So where a run has begun to plan is kept here.
create table sync.planning_start (
    dag_id text not null,
    run_id text not null,
    due_at timestamptz not null,
    task_id text not null,
    instance_id uuid not null,
    started_at timestamptz not null default clock_timestamp(),
    primary key (dag_id, run_id, due_at, task_id, instance_id)
);
comment on table sync.planning_start is
'Each try of a task that plans what takes two people, written before it reads anything; append-only. A run has as many as Airflow counts tries, or its tasks were
deleted and made again, perhaps by a user who is not the one that started it.';
comment on column sync.planning_start.dag_id is 'DAG of the run.';
comment on column sync.planning_start.run_id is 'Airflow''s run id.';
comment on column sync.planning_start.due_at is 'When the run was due: a run that was deleted and made again under the same id is another one.';
comment on column sync.planning_start.task_id is 'The task.';
comment on column sync.planning_start.instance_id is 'Airflow''s id of the try.';
comment on column sync.planning_start.started_at is 'When.';
