-- Puts back the operations that earlier chunks of a dry run have written and that the records of this chunk may be about: by id, hold or key.
-- Comes back with the number of events of the one that has most; trial_put_back_events.sql puts them back.
create temporary table staging_operation_put_back on commit drop as
select
    known.operation_id,
    known.written
from staging_operation_trial as known
where
    known.operation_id = any(%(ids)s::uuid[])
    or known.hold_id = any(%(ids)s::uuid[])
    or known.idempotency_key = any(%(keys)s::text[]);

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
    made.operation_id,
    made.kind,
    made.organization_id,
    made.customer_id,
    made.wallet_id,
    made.amount,
    made.order_id,
    made.hold_id,
    made.comment,
    made.source,
    made.requested_at,
    made.consumes_hold,
    made.idempotency_key,
    made.fingerprint,
    made.refund_of
from staging_operation_put_back as back
cross join lateral jsonb_populate_record(null::wallet.operation, back.written -> 'operation') as made
order by made.operation_id
on conflict do nothing;

select coalesce(max(jsonb_array_length(back.written -> 'events')), 0) as turns
from staging_operation_put_back as back;
