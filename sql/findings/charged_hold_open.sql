-- rule: charged_hold_open
-- meaning: The order was charged more than settle_grace_seconds ago and its hold is still open, so the guest's money is taken twice: what
--   becomes of hold and charge-off as the reference document writes them. The charge names the hold or its order, or (severity high) is
--   known only by its sum, on the same wallet within charge_window_seconds of the hold.
-- severity: critical
-- what to do: Look whether the charge is the hold's payment (the evidence says what they share), then release the hold.
select
    'hold:' || hold.hold_id as subject,
    hold.organization_id,
    hold.customer_id,
    hold.wallet_id,
    hold.hold_id,
    hold.amount as amount_at_risk,
    case when charge.matched_by = 'sum' then 'high' else %(severity)s::text end as severity,
    jsonb_build_object(
        'hold_id', hold.hold_id,
        'transaction_id', hold.transaction_id,
        'amount', hold.amount,
        'opened_at', hold.opened_at,
        'order_id', hold.order_id,
        'order_state', hold.order_state,
        'charge_id', charge.charge_id,
        'charged_at', charge.charged_at,
        'charged_amount', charge.charged_amount,
        'matched_by', charge.matched_by
    ) as evidence
from wallet.open_hold_as_of(%(as_of)s) as hold
inner join
    wallet.hold_charge_as_of(%(as_of)s, %(organization_id)s, %(charge_window_seconds)s, %(amount_tolerance)s) as charge
    on hold.hold_id = charge.hold_id
where charge.charged_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
