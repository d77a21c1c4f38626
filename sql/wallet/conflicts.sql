-- Staged operations that the ledger has with other content, with another outcome, or under another name of the import.
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
        known.operation_id is null and same.operation_id is null and other.operation_id is not null as is_told_already,
        coalesce(latest.basis <> 'balance', true)
        and ((latest.state = 'confirmed' and staged.state = 'rejected') or (latest.state = 'rejected' and staged.state = 'confirmed')) as contradicts
    from staging_operation as staged
    left join wallet.operation as known
        on staged.source = known.source and staged.idempotency_key = known.idempotency_key
    left join wallet.operation as same on staged.operation_id = same.operation_id
    left join lateral (
        select one.operation_id
        from wallet.operation as one
        where
            one.idempotency_key = staged.idempotency_key
            and one.kind = staged.kind
            and one.customer_id = staged.customer_id
            and one.wallet_id = staged.wallet_id
            and one.amount = staged.amount
            and coalesce(one.order_id, '') = coalesce(staged.order_id, '')
            and one.kind in ('topup', 'chargeoff')
            and starts_with(one.source, 'import:')
            and starts_with(staged.source, 'import:')
            and one.source <> staged.source
        order by one.operation_id
        limit 1
    ) as other on true
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
        when is_told_already then 'an import of another name has this record: money moves once, under any name'
        when hold_is_taken then 'hold_id is taken by an operation of other content'
        else 'state contradicts the outcome that the ledger has'
    end as reason
from judged
where key_is_taken or hold_is_taken or contradicts;
