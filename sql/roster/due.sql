-- How much of each organization of the roster is due, counted no further than needed to divide it? Goes from one organization and priority to
-- the next by index, so the cost grows with what is counted and not with the roster.
with recursive level as (
    (
        select
            organization_id,
            priority
        from sync.roster
        order by organization_id asc, priority desc
        limit 1
    )
    union all
    select
        following.organization_id,
        following.priority
    from level
    inner join lateral (
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id = level.organization_id and known.priority < level.priority
            order by known.priority desc
            limit 1
        )
        union all
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id > level.organization_id
            order by known.organization_id asc, known.priority desc
            limit 1
        )
        limit 1
    ) as following on true
)

select
    organization.organization_id::text,
    due.identities
from (select distinct organization_id from level) as organization
inner join lateral (
    select count(*) as identities
    from (
        select 1
        from level
        inner join lateral (
            select 1
            from sync.roster as known
            where
                known.organization_id = level.organization_id
                and known.priority = level.priority
                and known.due_at <= %(due_before)s
                and (known.active_until is null or known.due_at <= %(due_before)s - make_interval(secs => %(active_grace_seconds)s))
            order by known.due_at
            limit %(count_limit)s
        ) as found on true
        where level.organization_id = organization.organization_id
        limit %(count_limit)s  -- noqa: AM09
    ) as counted
) as due on true
order by organization.organization_id;
