-- Leases the next open rows of a plan to one task. A row that another live task is sending, by this plan or another, is passed over; the lease
-- of a dead one (its advisory lock went with its connection) is free at once.
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

open as materialized (
    select known.crm_id
    from crm.push_plan as planned
    inner join crm.push_state as known on planned.crm_id = known.crm_id
    where
        planned.plan_id = %(plan_id)s
        and planned.organization_id = %(organization_id)s
        and planned.state = 'planned'
        and (known.lease is null or known.leased_until < now() or known.lease not in (select live.lease from live))
    order by planned.crm_id
    limit %(batch_limit)s
    for no key update of known skip locked
)

update crm.push_state as known
set lease = %(lease)s, leased_until = now() + make_interval(secs => %(lease_seconds)s)
from open
where known.crm_id = open.crm_id
returning known.crm_id;
