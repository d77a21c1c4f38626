-- Leases the next identities of a backfill to one task, whenever they are due; otherwise like claim.sql. One that got no answer is tried again
-- when it is due. Goes along the index of what backfills have left, so that what is done costs nothing. What would fall due under the lease is
-- due with it: so an identity that is made due since, because something happened to the customer, can be told from one due by the clock.
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

chosen as materialized (
    select
        organization_id,
        identity_kind,
        identity_value
    from sync.roster
    where
        backfill_id = %(backfill_id)s
        and organization_id = %(organization_id)s
        and (outcome is distinct from 'failed' or due_at <= %(due_before)s)
        and (
            lease is null
            or leased_until < now()
            or (lease not in (select live.lease from live) and not sync.lease_is_held(lease, %(lease_class)s))
        )
    order by identity_value
    limit %(batch_limit)s
    for update skip locked
)

update sync.roster as roster
set
    lease = %(lease)s,
    leased_until = now() + make_interval(secs => %(lease_seconds)s),
    due_at = case
        when roster.due_at <= now() + make_interval(secs => %(lease_seconds)s) then least(roster.due_at, now())
        else roster.due_at
    end
from chosen
where
    roster.organization_id = chosen.organization_id
    and roster.identity_kind = chosen.identity_kind
    and roster.identity_value = chosen.identity_value
returning roster.identity_kind, roster.identity_value;
