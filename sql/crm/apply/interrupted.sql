-- Writes an outcome for the calls of one organization that tasks left behind when they died: it is not known whether they were applied, so the row is sent again.
with live as materialized (
    select objid::bigint as lease
    from pg_locks
    where
        locktype = 'advisory'
        and classid = %(lease_class)s
        and objsubid = 2
        and granted
        and database = (select oid from pg_database where datname = current_database())
),

dead as (
    update crm.push_plan as planned
    set attempt = null
    from crm.push_plan as before
    inner join crm.push_state as known on before.crm_id = known.crm_id
    where
        before.attempt is not null
        and before.organization_id = %(organization_id)s
        and before.plan_id = planned.plan_id
        and before.crm_id = planned.crm_id
        and (known.lease is null or known.lease not in (select live.lease from live))
    returning planned.plan_id, planned.crm_id, planned.organization_id, planned.customer_id, before.attempt
)

insert into crm.push (plan_id, crm_id, organization_id, customer_id, step, operation, fields, outcome, run_id, attempted_at)
select
    plan_id,
    crm_id,
    organization_id,
    customer_id,
    (attempt ->> 'step')::integer as step,
    attempt ->> 'operation' as operation,
    array(select jsonb_array_elements_text(attempt -> 'fields')) as fields,
    'interrupted' as outcome,
    attempt ->> 'run_id' as run,
    (attempt ->> 'attempted_at')::timestamptz as attempted_at
from dead;
