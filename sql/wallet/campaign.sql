-- The rows of one version of a campaign, each with its latest attempt in the ledger (a key ends in the number of the attempt), and the attempts
-- for rows that this version does not have.
with attempts as (
    select distinct on (regexp_replace(operation.idempotency_key, ':[0-9]+$', ''))
        regexp_replace(operation.idempotency_key, ':[0-9]+$', '') as row_key,
        substring(operation.idempotency_key from '[0-9]+$')::integer as attempt,
        operation.operation_id::text as operation_id,
        operation.organization_id,
        operation.customer_id,
        operation.wallet_id,
        operation.amount,
        operation.comment,
        operation.state,
        operation.evidence ->> 'reason' as reason
    from wallet.operation_state as operation
    where operation.source = %(source)s
    order by
        regexp_replace(operation.idempotency_key, ':[0-9]+$', '') asc,
        substring(operation.idempotency_key from '[0-9]+$')::integer desc
),

wanted as (
    select
        listed.row_key,
        listed.organization_id,
        listed.customer_id,
        listed.wallet_id,
        listed.amount,
        listed.comment
    from wallet.campaign_row as listed
    where listed.campaign = %(campaign)s and listed.version = %(version)s
)

select
    coalesce(wanted.row_key, attempts.row_key) as row_key,
    wanted.row_key is not null as is_listed,
    coalesce(wanted.organization_id, attempts.organization_id)::text as organization_id,
    coalesce(wanted.customer_id, attempts.customer_id)::text as customer_id,
    coalesce(wanted.wallet_id, attempts.wallet_id)::text as wallet_id,
    coalesce(wanted.amount, attempts.amount) as amount,
    case when wanted.row_key is null then attempts.comment else wanted.comment end as comment,
    coalesce(attempts.attempt, 0) as attempt,
    attempts.operation_id,
    attempts.state,
    attempts.reason,
    attempts.amount as attempt_amount,
    coalesce(
        wanted.row_key is null
        or (
            (wanted.customer_id, wanted.wallet_id, wanted.amount) = (attempts.customer_id, attempts.wallet_id, attempts.amount)
            and wanted.comment is not distinct from attempts.comment
        ),
        false
    ) as is_same
from wanted
full join attempts on wanted.row_key = attempts.row_key
order by coalesce(wanted.row_key, attempts.row_key);
