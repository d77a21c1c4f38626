-- Takes staged operations with their first event into the ledger, and tells how many were new. What is known by key or id is left as it is;
-- of several rows of one operation the earliest begins it.
with added as (
    insert into wallet.operation (
        operation_id,
        kind,
        organization_id,
        customer_id,
        wallet_id,
        amount,
        order_id,
        hold_id,
        comment,
        source,
        requested_at,
        consumes_hold,
        idempotency_key,
        fingerprint,
        refund_of
    )
    select
        staged.operation_id,
        staged.kind,
        staged.organization_id,
        staged.customer_id,
        staged.wallet_id,
        staged.amount,
        staged.order_id,
        staged.hold_id,
        staged.comment,
        staged.source,
        staged.requested_at,
        staged.consumes_hold,
        staged.idempotency_key,
        staged.fingerprint,
        staged.refund_of
    from staging_operation as staged
    order by staged.requested_at, staged.place
    on conflict do nothing
    returning operation_id, source, idempotency_key
),

begun as (
    insert into wallet.operation_event (operation_id, sequence, state, occurred_at, evidence, basis)
    select distinct on (added.operation_id)
        added.operation_id,
        1 as sequence,
        staged.state,
        staged.requested_at,
        staged.evidence,
        case when staged.state in ('confirmed', 'rejected') then staged.basis end as basis
    from added
    inner join staging_operation as staged
        on added.operation_id = staged.operation_id and added.idempotency_key = staged.idempotency_key
    order by added.operation_id, staged.requested_at, staged.place
    returning operation_id
)

select count(*) as added
from begun;
