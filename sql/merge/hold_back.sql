-- Holds what staging_gone has back under a breaker (those that are held already stay under theirs), and takes it out of the batch: such a look-up
-- counts as one without an answer, so it is made again, later and later.
with held as (
    insert into sync.held_back as known (
        organization_id, identity_kind, identity_value, breaker_id, customer_id, answer
    )
    select distinct on (gone.organization_id, gone.identity_kind, gone.identity_value)
        gone.organization_id,
        gone.identity_kind,
        gone.identity_value,
        coalesce(already.breaker_id, %(breaker_id)s::bigint) as breaker_id,
        gone.customer_id,
        gone.answer
    from staging_gone as gone
    left join lateral (
        select same.breaker_id
        from sync.held_back as same
        inner join sync.breaker as undecided on same.breaker_id = undecided.breaker_id and undecided.decision is null
        where same.organization_id = gone.organization_id and same.customer_id = gone.customer_id
        order by same.breaker_id
        limit 1
    ) as already on true
    where already.breaker_id is not null or %(breaker_id)s::bigint is not null
    -- An identity may have left one customer for another who is gone too.
    order by gone.organization_id asc, gone.identity_kind asc, gone.identity_value asc, (gone.answer = 'other_customer') desc
    on conflict (organization_id, identity_kind, identity_value) do update
        set
            breaker_id = excluded.breaker_id,
            held_at = case when known.breaker_id = excluded.breaker_id then known.held_at else now() end,
            answer = excluded.answer,
            last_seen_at = now()
    returning
        known.organization_id, known.identity_kind, known.identity_value, known.customer_id, known.answer,
        known.held_at = now() as is_new
),

taken_out as (
    update staging_lookup as looked
    set outcome = 'failed', customer_id = null
    from held
    where
        looked.organization_id = held.organization_id
        and looked.identity_kind = held.identity_kind
        and looked.identity_value = held.identity_value
)

select
    held.organization_id::text as organization_id,
    held.identity_kind,
    held.identity_value,
    held.is_new
from held;
