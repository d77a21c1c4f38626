-- Leases the next due identities of active customers of one organization to one task; otherwise like claim.sql.
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

due as materialized (
    select
        organization_id,
        identity_kind,
        identity_value
    from sync.roster
    where
        organization_id = %(organization_id)s
        and active_until is not null
        and due_at <= %(due_before)s
        and (
            lease is null
            or leased_until < now()
            or (lease not in (select live.lease from live) and not sync.lease_is_held(lease, %(lease_class)s))
        )
    order by due_at
    limit %(batch_limit)s
    for update skip locked
)

update sync.roster as roster
set lease = %(lease)s, leased_until = now() + make_interval(secs => %(lease_seconds)s)
from due
where
    roster.organization_id = due.organization_id
    and roster.identity_kind = due.identity_kind
    and roster.identity_value = due.identity_value
returning roster.identity_kind, roster.identity_value;
