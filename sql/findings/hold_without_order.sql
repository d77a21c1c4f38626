-- rule: hold_without_order
-- meaning: A hold has been open for more than order_grace_seconds and no order was reported for it: it names none, or one that the
--   order service did not report by then.
-- severity: low
-- what to do: Find out who made the hold (its source) and why. Where an organization does not report orders at all, switch the rule off for it.
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
        'source', hold.source
    ) as evidence
from wallet.open_hold_as_of(%(as_of)s) as hold
where
    hold.organization_id = %(organization_id)s
    and hold.order_state is null
    and hold.opened_at <= %(as_of)s - make_interval(secs => %(order_grace_seconds)s);
