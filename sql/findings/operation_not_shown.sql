-- rule: operation_not_shown
-- meaning: Syrve answered that it had carried out a top-up, a charge or a cancellation of ours, or others reported that they had cancelled a hold of ours,
--   or taken its money; and an hour later or more (a day, where its money was taken) Syrve's transactions report has no movement that could be it, though its
--   rows lead to the present balance without a gap: nothing moved. So a charge was not taken, a top-up not credited, or held money neither taken nor given
--   back: it is still held, or ended in the other way.
-- severity: high
-- what to do: Look at the wallet's movements in the back office. If nothing moved, tell the ledger: the operation is rejected, by a person; then what
--   follows from it (an unpaid order, an open hold) is found by its own rule. If it did move, acknowledge the finding.
-- blind to: Everything under reference, which has no such report. Wallets where another movement was of the same sum and direction since, or of which
--   the report lacks a movement for a week. The cancellation of a hold whose beginning did not lower the balance, and holds of which the report has no row.
select
    'operation:' || operation.operation_id as subject,
    operation.organization_id,
    coalesce(operation.customer_id, held.customer_id) as customer_id,
    coalesce(operation.wallet_id, held.wallet_id) as wallet_id,
    coalesce(held.hold_id, operation.hold_id) as hold_id,
    coalesce(operation.amount, held.amount) as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'kind', operation.kind,
        'source', operation.source,
        'order_id', operation.order_id,
        'amount', coalesce(operation.amount, held.amount),
        'answered_at', latest.occurred_at,
        'looked_at', looked.looked_at,
        'balance', looked.balance
    ) as evidence
from (
    select distinct on (look.operation_id)
        look.operation_id,
        look.is_shown,
        look.looked_at,
        look.balance
    from wallet.operation_look as look
    where look.organization_id = %(organization_id)s and look.looked_at <= %(as_of)s
    order by look.operation_id asc, look.looked_at desc
) as looked
inner join wallet.operation as operation on looked.operation_id = operation.operation_id
cross join
    lateral (
        select
            event.state,
            event.basis,
            event.occurred_at
        from wallet.operation_event as event
        where event.operation_id = operation.operation_id and event.occurred_at <= %(as_of)s
        order by event.sequence desc
        limit 1
    ) as latest
left join lateral (
    select
        hold.hold_id,
        hold.customer_id,
        hold.wallet_id,
        hold.amount
    from wallet.hold as hold
    where operation.hold_id in (hold.hold_id, hold.transaction_id)
    order by (hold.hold_id = operation.hold_id) desc
    limit 1
) as held on true
where looked.is_shown is false and latest.state = 'confirmed' and latest.basis in ('answer', 'report');
