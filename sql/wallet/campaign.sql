-- The rows of a campaign, each with its latest attempt: a key ends in the number of the attempt.
select distinct on (regexp_replace(operation.idempotency_key, ':[0-9]+$', ''))
    regexp_replace(operation.idempotency_key, ':[0-9]+$', '') as row_key,
    substring(operation.idempotency_key from '[0-9]+$')::integer as attempt,
    operation.operation_id::text,
    operation.organization_id::text,
    operation.customer_id::text,
    operation.wallet_id::text,
    operation.amount,
    operation.comment,
    operation.state,
    operation.evidence ->> 'reason' as reason
from wallet.operation_state as operation
where operation.source = %(source)s
order by
    regexp_replace(operation.idempotency_key, ':[0-9]+$', '') asc,
    substring(operation.idempotency_key from '[0-9]+$')::integer desc;
