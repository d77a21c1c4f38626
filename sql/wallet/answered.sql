-- Which of some operations, or of the ends of these holds that others told of, are believed because of an answer or such a report, each with what it takes
-- to tell whether Syrve's own report shows them, and whether it did not at the last look.
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
    coalesce(not looked.is_shown, false) as was_missing
from concerned
inner join wallet.operation as operation on concerned.operation_id = operation.operation_id
left join wallet.operation_event as sent on operation.operation_id = sent.operation_id and sent.sequence = 2 and sent.state = 'sent'
cross join
    lateral (
        select
            event.state,
            event.basis
        from wallet.operation_event as event
        where event.operation_id = operation.operation_id
        order by event.sequence desc
        limit 1
    ) as latest
left join lateral (
    select
        hold.hold_id,
        hold.transaction_id,
        hold.wallet_id,
        hold.amount,
        hold.opened_at
    from wallet.hold as hold
    where operation.kind = 'cancel_hold' and operation.hold_id in (hold.hold_id, hold.transaction_id)
    order by (hold.hold_id = operation.hold_id) desc
    limit 1
) as held on true
left join lateral (
    select look.is_shown
    from wallet.operation_look as look
    where look.operation_id = operation.operation_id
    order by look.looked_at desc
    limit 1
) as looked on true
where
    operation.kind in ('topup', 'chargeoff', 'cancel_hold')
    and latest.state = 'confirmed'
    and (operation.kind <> 'cancel_hold' or held.hold_id is not null)
    and (
        (latest.basis = 'answer' and sent.operation_id is not null)
        or (latest.basis = 'report' and operation.kind = 'cancel_hold' and starts_with(operation.source, 'import:'))
    );
