-- rule: operation_moved_twice
-- meaning: Syrve's transactions report has a further row with the marker, amount and direction of an operation of ours, which was sent once. If the
--   row has different balances, the money moved a second time: critical. If it has the balances of another row of that
--   operation, or none, it may be the same movement reported twice: then it is not known, and a person must look. Or a call that was taken for not
--   carried out was made again, and it proves that the first one moved money too: critical, for lookback_seconds.
-- severity: high
-- what to do: Look at the wallet's movements in the back office. If there was a second one, import it with the transaction's id as its key, and
--   give back what the guest should not have paid. If there was none, import that key with the state rejected.
-- blind to: Customers without an open hold whose money moved again more than an hour after the call, or of whom more moved than the runs of
--   syrve_wallet_import look at within a week. The beginning and the end of a hold whose row does not change the balance. Everything under reference,
--   which has no such report: there a lost answer whose call moved twice stays without an outcome.
select
    'operation:' || operation.operation_id as subject,
    operation.organization_id,
    operation.customer_id,
    operation.wallet_id,
    case when operation.kind = 'hold' then operation.operation_id else operation.hold_id end as hold_id,
    sum(operation.amount) as amount_at_risk,
    case when bool_or(repeated.is_second_movement) then 'critical' else %(severity)s end as severity,
    jsonb_build_object(
        'kind', operation.kind,
        'source', operation.source,
        'order_id', operation.order_id,
        'amount', operation.amount,
        'transactions', jsonb_agg(
            jsonb_build_object(
                'transaction_id', repeated.transaction_id,
                'created_at', repeated.created_at,
                'is_second_movement', repeated.is_second_movement
            )
            order by repeated.created_at, repeated.transaction_id
        )
    ) as evidence
from wallet.repeated_transaction as repeated
inner join wallet.operation as operation on repeated.operation_id = operation.operation_id
where
    repeated.organization_id = %(organization_id)s
    and repeated.created_at <= %(as_of)s
    -- The person who looked reports it under the transaction's id, as what it was or as rejected.
    and not exists (
        select
        from wallet.operation as told
        where told.idempotency_key = repeated.transaction_id::text and starts_with(told.source, 'import:')
    )
group by operation.operation_id
union all
select
    'operation:' || corrected.operation_id as subject,
    corrected.organization_id,
    corrected.customer_id,
    corrected.wallet_id,
    case when corrected.kind = 'hold' then corrected.operation_id else corrected.hold_id end as hold_id,
    corrected.amount as amount_at_risk,
    'critical' as severity,
    jsonb_build_object(
        'kind', corrected.kind,
        'source', corrected.source,
        'order_id', corrected.order_id,
        'amount', corrected.amount,
        'later_attempts', jsonb_agg(distinct later.operation_id)
    ) as evidence
from wallet.operation_event as event
inner join wallet.operation as corrected on event.operation_id = corrected.operation_id
inner join wallet.operation_event as denied
    on event.operation_id = denied.operation_id and denied.sequence = event.sequence - 1 and denied.state = 'rejected'
inner join wallet.operation_event as planned
    on event.operation_id = planned.operation_id and planned.sequence = 1 and planned.state = 'planned'
cross join lateral generate_series(1, 20) as further (step)
-- Attempts at the same thing are numbered after its key.
inner join wallet.operation as later
    on
        corrected.source = later.source
        and later.idempotency_key
        = regexp_replace(corrected.idempotency_key, '[0-9]+$', '')
        || (substring(corrected.idempotency_key from ':([0-9]{1,9})$')::bigint + further.step)
where
    event.state = 'confirmed'
    and event.sequence > 3
    and event.occurred_at > %(as_of)s - make_interval(secs => %(lookback_seconds)s)
    and event.occurred_at <= %(as_of)s
    and corrected.organization_id = %(organization_id)s
    and not exists (
        select
        from wallet.repeated_transaction as repeated
        where repeated.organization_id = %(organization_id)s and repeated.operation_id = corrected.operation_id
    )
    and not exists (
        select
        from wallet.operation_event as since
        where since.operation_id = event.operation_id and since.sequence > event.sequence and since.occurred_at <= %(as_of)s
    )
    and (
        select latest.state
        from wallet.operation_event as latest
        where latest.operation_id = later.operation_id and latest.occurred_at <= %(as_of)s
        order by latest.sequence desc
        limit 1
    ) = 'confirmed'
group by corrected.operation_id;
