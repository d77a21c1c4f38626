-- rule: refund_exceeds_charge
-- meaning: More was given back for an order than was charged or consumed for it, and the last movement is older than settle_grace_seconds. Top-ups
--   that name an order are refunds of it if something was charged for it, or if it failed or was cancelled.
-- severity: medium
-- what to do: See whether a till refunded twice. If so, charge the difference; if a top-up was a bonus, import it without the order's id.
-- blind to: Top-ups that do not name the order. Silent while a charge of the order has no outcome (movement_outcome_unknown).
select
    'order:' || doubt.organization_id || ':' || doubt.order_id as subject,
    doubt.organization_id,
    balance.customer_id,
    balance.wallet_id,
    balance.hold_ids[cardinality(balance.hold_ids)] as hold_id,
    balance.refunded_too_much as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'order_id', doubt.order_id,
        'order_state', balance.state,
        'order_state_at', balance.state_at,
        'charged', balance.charged,
        'consumed', balance.consumed,
        'refunded', balance.refunded,
        'charge_ids', balance.charge_ids,
        'refund_ids', balance.refund_ids
    ) as evidence
from wallet.order_in_doubt as doubt
cross join lateral wallet.order_balance_as_of(%(as_of)s, doubt.organization_id, doubt.order_id) as balance
where
    doubt.organization_id = %(organization_id)s
    and tstzrange(doubt.doubtful_from, doubt.doubtful_until) @> %(as_of)s
    and balance.refunded_too_much > %(amount_tolerance)s
    and balance.moved_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
