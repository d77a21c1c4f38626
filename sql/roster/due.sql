-- How much of each organization of the roster is due, counted no further than needed to divide it? Goes from one organization and priority to
-- the next by index, those that are known and those that are new each by their own, so the cost grows with what is counted and not with the roster.
with recursive known_level as (
    (
        select
            organization_id,
            priority
        from sync.roster
        where checked_at is not null
        order by organization_id asc, priority desc
        limit 1
    )
    union all
    select
        following.organization_id,
        following.priority
    from known_level
    inner join lateral (
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id = known_level.organization_id and known.priority < known_level.priority and known.checked_at is not null
            order by known.priority desc
            limit 1
        )
        union all
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id > known_level.organization_id and known.checked_at is not null
            order by known.organization_id asc, known.priority desc
            limit 1
        )
        limit 1
    ) as following on true
),

new_level as (
    (
        select
            organization_id,
            priority
        from sync.roster
        where checked_at is null
        order by organization_id asc, priority desc
        limit 1
    )
    union all
    select
        following.organization_id,
        following.priority
    from new_level
    inner join lateral (
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id = new_level.organization_id and known.priority < new_level.priority and known.checked_at is null
            order by known.priority desc
            limit 1
        )
        union all
        (
            select
                known.organization_id,
                known.priority
            from sync.roster as known
            where known.organization_id > new_level.organization_id and known.checked_at is null
            order by known.organization_id asc, known.priority desc
            limit 1
        )
        limit 1
    ) as following on true
)

select
    organization.organization_id::text,
    due.identities
from (
    select organization_id
    from known_level
    union
    select organization_id
    from new_level
) as organization
inner join lateral (
    select count(*) as identities
    from (
        (
            select 1
            from known_level
            inner join lateral (
                select 1
                from sync.roster as known
                where
                    known.organization_id = known_level.organization_id
                    and known.priority = known_level.priority
                    and known.checked_at is not null
                    and known.due_at <= %(due_before)s
                    and (known.active_until is null or known.due_at <= %(due_before)s - make_interval(secs => %(active_grace_seconds)s))
                order by known.due_at
                limit %(count_limit)s
            ) as found on true
            where known_level.organization_id = organization.organization_id
            limit %(count_limit)s  -- noqa: AM09
        )
        union all
        (
            select 1
            from new_level
            inner join lateral (
                select 1
                from sync.roster as known
                where
                    known.organization_id = new_level.organization_id
                    and known.priority = new_level.priority
                    and known.checked_at is null
                    and known.due_at <= %(due_before)s
                    and (known.active_until is null or known.due_at <= %(due_before)s - make_interval(secs => %(active_grace_seconds)s))
                order by known.due_at
                limit %(count_limit)s
            ) as found on true
            where new_level.organization_id = organization.organization_id
            limit %(count_limit)s  -- noqa: AM09
        )
        limit %(count_limit)s  -- noqa: AM09
    ) as counted
) as due on true
order by organization.organization_id;
