-- One operation with its last event, by its id or by the caller's key.
select
    operation_id::text,
    kind,
    organization_id::text,
    customer_id::text,
    wallet_id::text,
    amount,
    order_id,
    hold_id::text,
    comment,
    source,
    consumes_hold,
    state,
    coalesce(sequence, 0) as sequence,
    state_at,
    coalesce(evidence, '{}') as evidence,
    basis,
    payment_id::text,
    refund_of::text,
    coalesce(idempotency_key, '') as key,
    fingerprint
from wallet.operation_state
where operation_id = %(operation_id)s::uuid or (source = %(source)s::text and idempotency_key = %(key)s::text);
