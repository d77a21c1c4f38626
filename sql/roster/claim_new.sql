-- Leases the next identities of one organization that were never looked up to one task; otherwise like claim.sql.
with recursive live as materialized (
    select objid::bigint as lease
    from pg_locks
    where
        locktype = 'advisory'
        and classid = %(lease_class)s
        and objsubid = 2
        and granted
        and database = (select oid from pg_database where datname = current_database())
),

level as (
    (
        select priority
        from sync.roster
        where organization_id = %(organization_id)s and checked_at is null
        order by priority desc
        limit 1
    )
    union all
    select (
        select known.priority
        from sync.roster as known
        where known.organization_id = %(organization_id)s and known.priority < level.priority and known.checked_at is null
        order by known.priority desc
        limit 1
    )
    from level
    where level.priority is not null
),

due as materialized (
    select
        found.organization_id,
        found.identity_kind,
        found.identity_value
    from level
    inner join lateral (
        select
            known.organization_id,
            known.identity_kind,
            known.identity_value
        from sync.roster as known
        where
            known.organization_id = %(organization_id)s
            and known.priority = level.priority
            and known.checked_at is null
            and known.due_at <= %(due_before)s
            and (known.active_until is null or known.due_at <= %(due_before)s - make_interval(secs => %(active_grace_seconds)s))
            and (
                known.lease is null
                or known.leased_until < now()
                or (known.lease not in (select live.lease from live) and not sync.lease_is_held(known.lease, %(lease_class)s))
            )
        order by known.due_at
        limit %(batch_limit)s
        for update skip locked
    ) as found on true
    -- The levels come highest first and are joined one by one, so this ends within the level that fills the batch and locks nothing beyond.
    limit %(batch_limit)s  -- noqa: AM09
)

update sync.roster as roster
set lease = %(lease)s, leased_until = now() + make_interval(secs => %(lease_seconds)s)
from due
where
    roster.organization_id = due.organization_id
    and roster.identity_kind = due.identity_kind
    and roster.identity_value = due.identity_value
returning roster.identity_kind, roster.identity_value;
