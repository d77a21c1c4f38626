-- rule: order_failed_hold_open
-- meaning: An order failed or was cancelled more than settle_grace_seconds ago, and its hold is still open.
-- severity: high
-- what to do: Release the hold: the guest gets nothing for the money that is set aside.
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
        'opened_at', hold.opened_at,
        'order_id', hold.order_id,
        'order_state', hold.order_state,
        'order_state_at', hold.order_state_at
    ) as evidence
from wallet.open_hold_as_of(%(as_of)s) as hold
where
    hold.organization_id = %(organization_id)s
    and hold.order_state in ('failed', 'cancelled')
    and greatest(hold.order_state_at, hold.opened_at) <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
