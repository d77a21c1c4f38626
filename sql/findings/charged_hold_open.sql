-- rule: charged_hold_open
-- meaning: The order was charged more than settle_grace_seconds ago and its hold is still open, so the guest's money is taken twice: what
--   becomes of hold and charge-off as the reference document writes them. The charge names the hold or its order, or (severity high) is
--   known only by its sum, on the same wallet within charge_window_seconds of the hold.
-- severity: critical
-- what to do: Look whether the charge is the hold's payment (the evidence says what they share), then release the hold.
select
    'hold:' || charge.hold_id as subject,
    %(organization_id)s::uuid as organization_id,
    charge.customer_id,
    charge.wallet_id,
    charge.hold_id,
    charge.amount as amount_at_risk,
    case when charge.matched_by = 'sum' then 'high' else %(severity)s::text end as severity,
    jsonb_build_object(
        'hold_id', charge.hold_id,
        'transaction_id', charge.transaction_id,
        'amount', charge.amount,
        'opened_at', charge.opened_at,
        'order_id', charge.order_id,
        'order_state', charge.order_state,
        'charge_id', charge.charge_id,
        'charged_at', charge.charged_at,
        'charged_amount', charge.charged_amount,
        'matched_by', charge.matched_by
    ) as evidence
from wallet.hold_charge_as_of(%(as_of)s, %(organization_id)s, %(charge_window_seconds)s, %(amount_tolerance)s) as charge
where charge.charged_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
