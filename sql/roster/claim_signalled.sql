-- Leases the identities that signals made due to one task; otherwise like claim.sql.
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

signalled as materialized (
    select distinct
        organization_id,
        identity_kind,
        identity_value
    from sync.signal
    where organization_id = %(organization_id)s and is_followed and evaluated_at is null
),

due as materialized (
    select
        known.organization_id,
        known.identity_kind,
        known.identity_value
    from signalled
    inner join sync.roster as known
        on
            signalled.organization_id = known.organization_id
            and signalled.identity_kind = known.identity_kind
            and signalled.identity_value = known.identity_value
    where
        known.due_at <= %(due_before)s
        and (
            known.lease is null
            or known.leased_until < now()
            or (known.lease not in (select live.lease from live) and not sync.lease_is_held(known.lease, %(lease_class)s))
        )
    order by known.due_at
    limit %(batch_limit)s
    for update of known skip locked
)

update sync.roster as roster
set lease = %(lease)s, leased_until = now() + make_interval(secs => %(lease_seconds)s)
from due
where
    roster.organization_id = due.organization_id
    and roster.identity_kind = due.identity_kind
    and roster.identity_value = due.identity_value
returning roster.identity_kind, roster.identity_value;
