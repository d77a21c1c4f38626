-- Takes all that the batch concerns for the length of the transaction: its own identities, and every identity of the customers whom it found or
-- whom its identities led to before. All of them at once and in the order of the key, so that two batches that share a customer follow one
-- another, never wait for each other in a circle, and the later one sees what the earlier one confirmed.
-- Before an identity's customer is asked for, its row is found by the key: statistics from before the first load say that no row has a customer,
-- and would have the whole index of customers read for every identity.
with former as materialized (
    select
        looked.outcome,
        looked.customer_id as found_id,
        former.organization_id,
        former.customer_id
    from staging_lookup as looked
    inner join sync.roster as former
        on
            looked.organization_id = former.organization_id
            and looked.identity_kind = former.identity_kind
            and looked.identity_value = former.identity_value
),

led_to as (
    select * from former
    where customer_id is not null
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
    from led_to
),

concerned as materialized (
    select
        organization_id,
        identity_kind,
        identity_value
    from staging_lookup
    union
    select
        known.organization_id,
        known.identity_kind,
        known.identity_value
    from customers
    inner join sync.roster as known
        on customers.organization_id = known.organization_id and customers.customer_id = known.customer_id
    union
    select
        organization_id,
        'id' as identity_kind,
        customer_id::text as identity_value
    from led_to
    where outcome = 'not_found' or found_id <> customer_id
)

select count(*)
from (
    select 1
    from concerned
    inner join sync.roster as known
        on
            concerned.organization_id = known.organization_id
            and concerned.identity_kind = known.identity_kind
            and concerned.identity_value = known.identity_value
    order by known.organization_id, known.identity_kind, known.identity_value
    for no key update of known
) as locked;
