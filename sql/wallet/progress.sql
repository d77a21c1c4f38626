-- Adds what staged rows tell of operations that the ledger has without an outcome, and tells of how many.
with latest as (
    select distinct on (known.operation_id)
        known.operation_id,
        event.sequence,
        event.state as former,
        staged.state,
        staged.requested_at,
        staged.evidence,
        case when staged.state in ('confirmed', 'rejected') then staged.basis end as basis
    from staging_operation as staged
    inner join wallet.operation as known
        on
            (staged.source = known.source and staged.idempotency_key = known.idempotency_key and staged.fingerprint = known.fingerprint)
            or (
                staged.operation_id = known.operation_id
                and (staged.kind, staged.organization_id, staged.customer_id, staged.wallet_id, staged.amount)
                = (known.kind, known.organization_id, known.customer_id, known.wallet_id, known.amount)
            )
    inner join lateral (
        select one.sequence, one.state, one.basis
        from wallet.operation_event as one
        where one.operation_id = known.operation_id
        order by one.sequence desc
        limit 1
    ) as event on true
    where
        (event.state = 'sent' and staged.state in ('confirmed', 'rejected', 'unknown'))
        or (event.state = 'unknown' and staged.state in ('confirmed', 'rejected'))
        or (event.basis = 'balance' and staged.basis <> 'balance' and staged.state in ('confirmed', 'rejected'))
    order by known.operation_id asc, (staged.state in ('confirmed', 'rejected')) desc, staged.requested_at asc
),

added as (
    insert into wallet.operation_event (operation_id, sequence, state, occurred_at, evidence, basis)
    select
        latest.operation_id,
        latest.sequence + 1 as sequence,
        latest.state,
        latest.requested_at,
        latest.evidence,
        latest.basis
    from latest
    on conflict (operation_id, sequence) do nothing
    returning operation_id
)

select count(*) as progressed
from added;
