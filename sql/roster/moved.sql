-- A phone or card that led to a customer and now leads to another one, or to none, says nothing about the former: whether they have another
-- phone, were merged or are gone is what a look-up by id will tell, so it is due at once. Each row is found by its key (as in lock.sql).
with former as materialized (
    select
        looked.outcome as looked_outcome,
        looked.customer_id as found_id,
        known.organization_id,
        known.customer_id,
        known.outcome,
        known.confirmed_at,
        known.priority,
        known.active_until
    from staging_lookup as looked
    inner join lateral (
        select roster.*
        from sync.roster as roster
        where
            roster.organization_id = looked.organization_id
            and roster.identity_kind = looked.identity_kind
            and roster.identity_value = looked.identity_value
        offset 0  -- noqa: AM09
    ) as known on true
    where looked.identity_kind in ('phone', 'card', 'card_number')
)

insert into sync.roster as known (
    organization_id, identity_kind, identity_value, source, customer_id, outcome, confirmed_at, priority, active_until
)
select distinct on (organization_id, customer_id)
    organization_id,
    'id' as identity_kind,
    customer_id::text as identity_value,
    'moved' as source,
    customer_id,
    'found' as outcome,
    confirmed_at,
    priority,
    active_until
from former
where
    customer_id is not null
    and outcome is distinct from 'not_found'
    and (
        (looked_outcome = 'found' and found_id <> customer_id)
        or looked_outcome = 'not_found'
    )
order by organization_id asc, customer_id asc, confirmed_at desc nulls last
on conflict (organization_id, identity_kind, identity_value) do update
    set
        due_at = case when known.lease is null then least(known.due_at, now()) else now() end,
        customer_id = excluded.customer_id,
        active_until = greatest(known.active_until, excluded.active_until),
        confirmed_at = greatest(known.confirmed_at, excluded.confirmed_at);
