-- Takes staged ends of holds out that do not agree with their hold in organization, customer, wallet or amount, and keeps them for a finding.
with named as (
    select
        staged.*,
        held.known_id,
        held.held_by
    from staging_operation as staged
    inner join lateral (
        select
            hold.hold_id as known_id,
            hold.organization_id as held_by,
            (
                hold.organization_id = staged.organization_id
                and coalesce(staged.customer_id = hold.customer_id, true)
                and coalesce(staged.wallet_id = hold.wallet_id, true)
                and coalesce(staged.amount = hold.amount, true)
            ) as agrees
        from (
            select known.hold_id, known.organization_id, known.customer_id, known.wallet_id, known.amount
            from wallet.hold as known
            where known.hold_id = staged.hold_id
            union all
            select known.hold_id, known.organization_id, known.customer_id, known.wallet_id, known.amount
            from wallet.hold as known
            where known.transaction_id = staged.hold_id and known.hold_id <> staged.hold_id
            union all
            select other.operation_id, other.organization_id, other.customer_id, other.wallet_id, other.amount
            from staging_operation as other
            where other.kind = 'hold' and other.operation_id = staged.hold_id
        ) as hold
        order by hold.hold_id
        limit 1
    ) as held on not held.agrees
    where staged.kind = 'cancel_hold' or staged.consumes_hold
),

kept as (
    insert into wallet.contested_ending (
        hold_id,
        organization_id,
        kind,
        source,
        idempotency_key,
        reported_organization_id,
        reported_customer_id,
        reported_wallet_id,
        reported_amount,
        occurred_at
    )
    select
        named.known_id,
        named.held_by,
        named.kind,
        named.source,
        named.idempotency_key,
        named.organization_id,
        named.customer_id,
        named.wallet_id,
        named.amount,
        named.requested_at
    from named
    where named.state in ('sent', 'confirmed', 'unknown')
    on conflict do nothing
),

removed as (
    delete from staging_operation as staged
    using named
    where staged.place = named.place
)

select
    named.place,
    'the record names a hold of another organization, customer, wallet or amount' as reason
from named;
