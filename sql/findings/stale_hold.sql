-- rule: stale_hold
-- meaning: A hold has been open for longer than hold_ttl_seconds. Its order is open, completed or not known, but did not fail
--   (order_failed_hold_open), and no charge for it was found (charged_hold_open).
-- severity: medium
-- what to do: Ask the order service what became of the order. If it was paid in another way or never will be, release the hold; if the till
--   consumed it, import that charge.
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
        'order_state', hold.order_state
    ) as evidence
from wallet.open_hold_as_of(%(as_of)s) as hold
where
    hold.organization_id = %(organization_id)s
    and hold.opened_at <= %(as_of)s - make_interval(secs => %(hold_ttl_seconds)s)
    and coalesce(hold.order_state not in ('failed', 'cancelled'), true)
    and hold.hold_id not in (
        select charge.hold_id
        from wallet.hold_charge_as_of(%(as_of)s, %(organization_id)s, %(charge_window_seconds)s, %(amount_tolerance)s) as charge
    );
