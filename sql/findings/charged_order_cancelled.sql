-- rule: charged_order_cancelled
-- meaning: An order failed or was cancelled more than settle_grace_seconds ago, and more was charged or consumed for it than was given back.
-- severity: high
-- what to do: Give the difference back by a top-up that names the order, or report that the order was completed after all.
-- blind to: Refunds that do not name the order, and refunds in cash. Silent while a refund of the order has no outcome
--   (movement_outcome_unknown).
select
    'order:' || doubt.organization_id || ':' || doubt.order_id as subject,
    doubt.organization_id,
    balance.customer_id,
    balance.wallet_id,
    balance.hold_ids[cardinality(balance.hold_ids)] as hold_id,
    balance.not_given_back as amount_at_risk,
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
    and balance.not_given_back > %(amount_tolerance)s
    and balance.moved_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
