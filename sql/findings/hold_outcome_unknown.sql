-- rule: hold_outcome_unknown
-- meaning: A hold was sent more than unknown_grace_seconds ago and it is not known whether it set money aside. No other rule speaks of it
--   until that is known.
-- severity: high
-- what to do: Reconciliation looks for evidence by itself. If it finds none, look into the back office and tell the ledger (docs/wallet.md).
select
    'hold:' || hold.hold_id as subject,
    hold.organization_id,
    hold.customer_id,
    hold.wallet_id,
    hold.hold_id,
    hold.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'hold_id', hold.hold_id,
        'transaction_id', hold.transaction_id,
        'amount', hold.amount,
        'sent_at', hold.opened_at,
        'order_id', hold.order_id
    ) as evidence
from wallet.hold as hold
where
    hold.organization_id = %(organization_id)s
    and tstzrange(hold.opened_at, hold.closed_at) @> %(as_of)s
    and hold.opened_at <= %(as_of)s - make_interval(secs => %(unknown_grace_seconds)s)
    and (hold.confirmed_at > %(as_of)s or hold.confirmed_at is null);
