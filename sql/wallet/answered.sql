-- Which of some operations, and of the ends of these holds that others reported, are believed because of an answer or such a record only, to have moved money
-- (is_done) or not. Each with what is needed to look for it in Syrve's own report, and with what the last look saw.
with concerned as (
    select asked.operation_id
    from unnest(%(operation_ids)s::uuid[]) as asked (operation_id)
    union
    select hold.closing_operation_id
    from wallet.hold as hold
    where hold.hold_id = any(%(operation_ids)s::uuid[]) and hold.closed_by = 'cancelled'
)

select
    operation.operation_id::text,
    operation.kind,
    operation.organization_id::text,
    coalesce(operation.wallet_id, held.wallet_id)::text as wallet_id,
    coalesce(operation.amount, held.amount) as amount,
    held.hold_id::text,
    held.transaction_id::text as hold_transaction_id,
    coalesce(sent.occurred_at, held.opened_at) as sent_at,
    least(sent.occurred_at, held.opened_at) as since,
    (sent.evidence ->> 'balance_before')::numeric as balance_before,
    operation.state = 'confirmed' as is_done,
    operation.consumes_hold,
    case
        when looked.operation_id is null then null
        when looked.is_shown is null then 'undecided'
        when looked.is_shown then 'shown'
        else 'missing'
    end as seen
from concerned
inner join wallet.operation_state as operation on concerned.operation_id = operation.operation_id
left join wallet.operation_event as sent on operation.operation_id = sent.operation_id and sent.sequence = 2 and sent.state = 'sent'
left join lateral (
    select
        hold.hold_id,
        hold.transaction_id,
        hold.wallet_id,
        hold.amount,
        hold.opened_at
    from wallet.hold as hold
    where (operation.kind = 'cancel_hold' or operation.consumes_hold) and operation.hold_id in (hold.hold_id, hold.transaction_id)
    order by (hold.hold_id = operation.hold_id) desc
    limit 1
) as held on true
left join lateral (
    select
        look.operation_id,
        look.is_shown
    from wallet.operation_look as look
    where look.operation_id = operation.operation_id
    order by look.looked_at desc
    limit 1
) as looked on true
where
    (held.hold_id is not null or not (operation.kind = 'cancel_hold' or operation.consumes_hold))
    and case operation.state
        when 'confirmed'
            then
                (operation.kind <> 'hold' and operation.basis = 'answer' and sent.operation_id is not null)
                or (operation.kind = 'cancel_hold' and operation.basis = 'report' and starts_with(operation.source, 'import:'))
                or (operation.consumes_hold and operation.basis = 'report' and operation.source <> 'transactions')
        when 'rejected'
            -- The end of a hold does not tell which cancellation ended it.
            then operation.kind <> 'cancel_hold' and operation.basis in ('answer', 'balance') and sent.operation_id is not null
        else false
    end;
