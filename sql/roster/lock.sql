-- Takes all that the batch concerns for the length of the transaction: its own identities, and every identity of the customers whom it found or
-- whom its identities led to before. All of them at once and in the order of the key, so that two batches that share a customer follow one
-- another, never wait for each other in a circle, and the later one sees what the earlier one confirmed.
-- Every row is looked for by its key, independent of the statistics (`offset 0` keeps the look-ups apart from the joins around them): those from before
-- the first load say that no row has a customer, and the whole roster, or its whole index of customers, would be read for each batch.
with former as materialized (
    select
        looked.outcome,
        looked.customer_id as found_id,
        known.organization_id,
        known.customer_id
    from staging_lookup as looked
    inner join lateral (
        select
            roster.organization_id,
            roster.customer_id
        from sync.roster as roster
        where
            roster.organization_id = looked.organization_id
            and roster.identity_kind = looked.identity_kind
            and roster.identity_value = looked.identity_value
        offset 0  -- noqa: AM09
    ) as known on true
    where known.customer_id is not null
),

customers as (
    select
        organization_id,
        customer_id
    from staging_digest
    union
    select
        organization_id,
        customer_id
    from former
),

concerned as (
    select
        organization_id,
        identity_kind,
        identity_value
    from staging_lookup
    union
    select
        customers.organization_id,
        known.identity_kind,
        known.identity_value
    from customers
    inner join lateral (
        select
            roster.identity_kind,
            roster.identity_value
        from sync.roster as roster
        where roster.organization_id = customers.organization_id and roster.customer_id = customers.customer_id
        offset 0  -- noqa: AM09
    ) as known on true
    union
    select
        organization_id,
        'id' as identity_kind,
        customer_id::text as identity_value
    from former
    where outcome = 'not_found' or found_id <> customer_id
),

in_key_order as (
    select
        organization_id,
        identity_kind,
        identity_value
    from concerned
    order by organization_id, identity_kind, identity_value
    offset 0  -- noqa: AM09
)

select count(*)
from in_key_order
inner join lateral (
    select 1
    from sync.roster as known
    where
        known.organization_id = in_key_order.organization_id
        and known.identity_kind = in_key_order.identity_kind
        and known.identity_value = in_key_order.identity_value
    for no key update
) as locked on true;
