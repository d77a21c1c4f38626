-- Leases the next due identities of one organization to one task; those that were never looked up are claim_new.sql's. What another live task holds
-- is passed over; the lease of a dead one (its advisory lock went with its connection) is free at once. Each priority is one stretch of the index
-- in the order of due_at, so the cost grows with what is claimed and not with the roster. Customers who are looked at by the clock are
-- syrve_balances' own; they are taken along here only if they are long overdue. A lease that the list of live ones does not have is looked for once
-- more, row by row: its task may have begun, and claimed the row, while this statement was on its way.
-- With `ahead_seconds` it goes on to those that are due so much later: calls that are not used are lost. Not to any that had an answer since
-- `checked_before`, nor to those that got none and wait for another try.
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
        where organization_id = %(organization_id)s and checked_at is not null
        order by priority desc
        limit 1
    )
    union all
    select (
        select known.priority
        from sync.roster as known
        where known.organization_id = %(organization_id)s and known.priority < level.priority and known.checked_at is not null
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
            and known.checked_at is not null
            and known.due_at <= %(due_before)s + make_interval(secs => %(ahead_seconds)s)
            and (known.active_until is null or known.due_at <= %(due_before)s - make_interval(secs => %(active_grace_seconds)s))
            and (
                known.due_at <= %(due_before)s
                or (known.checked_at <= %(checked_before)s and known.outcome is distinct from 'failed' and known.active_until is null)
            )
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
