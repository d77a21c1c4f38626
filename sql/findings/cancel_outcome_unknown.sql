-- rule: cancel_outcome_unknown
-- meaning: The cancellation of a hold was sent more than unknown_grace_seconds ago and it is not known whether it gave the money back. No rule
--   about open holds speaks of the hold until that is known. Not found if the hold has ended in another way since.
-- severity: high
-- what to do: Reconciliation looks for evidence by itself. If it finds none, look into the back office and tell the ledger (docs/wallet.md).
select
    'operation:' || cancellation.operation_id as subject,
    cancellation.organization_id,
    coalesce(hold.customer_id, cancellation.customer_id) as customer_id,
    coalesce(hold.wallet_id, cancellation.wallet_id) as wallet_id,
    coalesce(hold.hold_id, cancellation.hold_id) as hold_id,
    coalesce(hold.amount, cancellation.amount, 0) as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'operation_id', cancellation.operation_id,
        'hold_id', coalesce(hold.hold_id, cancellation.hold_id),
        'transaction_id', hold.transaction_id,
        'amount', coalesce(hold.amount, cancellation.amount),
        'sent_at', cancellation.sent_at,
        'order_id', coalesce(hold.order_id, cancellation.order_id)
    ) as evidence
from wallet.unsettled_operation as cancellation
left join lateral (
    select one.*
    from wallet.hold as one
    where one.hold_id = cancellation.hold_id or one.transaction_id = cancellation.hold_id
    order by one.hold_id = cancellation.hold_id desc
    limit 1
) as hold on true
where
    cancellation.organization_id = %(organization_id)s
    and cancellation.kind = 'cancel_hold'
    and cancellation.sent_at is not null
    and tstzrange(
        cancellation.sent_at,
        case when cancellation.settled_at < cancellation.sent_at then cancellation.sent_at else cancellation.settled_at end
    ) @> %(as_of)s
    and cancellation.sent_at <= %(as_of)s - make_interval(secs => %(unknown_grace_seconds)s)
    and (hold.closed_at > %(as_of)s or hold.closed_at is null);
