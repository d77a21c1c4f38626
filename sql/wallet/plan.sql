-- Writes an operation down with its first event, once: where the key is taken nothing is written, and nothing comes back.
with asked as (
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
        payment_id,
        refund_of
    )
    values (
        %(operation_id)s::uuid,
        %(kind)s,
        %(organization_id)s,
        %(customer_id)s,
        %(wallet_id)s,
        %(amount)s,
        %(order_id)s,
        %(hold_id)s,
        %(comment)s,
        %(source)s,
        coalesce(%(requested_at)s::timestamptz, clock_timestamp()),
        %(consumes_hold)s,
        %(key)s,
        %(fingerprint)s,
        %(payment_id)s,
        %(refund_of)s
    )
    on conflict do nothing
    returning operation_id
)

select asked.operation_id::text
from asked;
