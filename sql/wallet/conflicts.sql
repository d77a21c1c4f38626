-- Staged operations that the ledger has with other content, or with another outcome.
with judged as (
    select
        staged.place,
        coalesce(known.fingerprint <> staged.fingerprint, false) as key_is_taken,
        known.operation_id is null
        and not coalesce(
            (same.kind, same.organization_id, same.customer_id, same.wallet_id, same.amount)
            = (staged.kind, staged.organization_id, staged.customer_id, staged.wallet_id, staged.amount),
            false
        ) as hold_is_taken,
        coalesce(latest.basis <> 'balance', true)
        and ((latest.state = 'confirmed' and staged.state = 'rejected') or (latest.state = 'rejected' and staged.state = 'confirmed')) as contradicts
    from staging_operation as staged
    left join wallet.operation as known
        on staged.source = known.source and staged.idempotency_key = known.idempotency_key
    left join wallet.operation as same on staged.operation_id = same.operation_id
    left join lateral (
        select event.state, event.basis
        from wallet.operation_event as event
        where event.operation_id = coalesce(known.operation_id, same.operation_id)
        order by event.sequence desc
        limit 1
    ) as latest on true
)

select
    place,
    case
        when key_is_taken then 'key is taken by an operation of other content'
        when hold_is_taken then 'hold_id is taken by an operation of other content'
        else 'state contradicts the outcome that the ledger has'
    end as reason
from judged
where key_is_taken or hold_is_taken or contradicts;
