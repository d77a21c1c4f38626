-- rule: completed_order_unpaid
-- meaning: An order has been completed for more than settle_grace_seconds and is certainly unpaid: what was charged and consumed, what may still be
--   set aside and what has no outcome together are less than its amount, as far as holds were made or payments of ours run for it; if the amount was not reported:
--   there is none of these.
-- severity: high
-- what to do: Ask the order service how the order was paid. If the till consumed a hold, import that; if the guest paid otherwise, report the
--   order's amount from the wallet (0 for none); else ask the guest, or write the amount off by reporting it.
-- blind to: Orders of others without a hold, and refunds of completed orders, which are taken for deliberate. Silent where a charge that names neither order nor hold has the sum of one of its holds.
select
    'order:' || doubt.organization_id || ':' || doubt.order_id as subject,
    doubt.organization_id,
    balance.customer_id,
    balance.wallet_id,
    balance.hold_ids[cardinality(balance.hold_ids)] as hold_id,
    balance.unpaid as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'order_id', doubt.order_id,
        'order_state', balance.state,
        'order_state_at', balance.state_at,
        'expected', balance.expected,
        'held', balance.held,
        'charged', balance.charged,
        'consumed', balance.consumed,
        'refunded', balance.refunded,
        'hold_ids', balance.hold_ids,
        'charge_ids', balance.charge_ids
    ) as evidence
from wallet.order_in_doubt as doubt
cross join lateral wallet.order_balance_as_of(%(as_of)s, doubt.organization_id, doubt.order_id) as balance
where
    doubt.organization_id = %(organization_id)s
    and tstzrange(doubt.doubtful_from, doubt.doubtful_until) @> %(as_of)s
    and balance.unpaid > %(amount_tolerance)s
    and balance.moved_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s)
    and not exists (
        select
        from unnest(balance.hold_ids) as named (hold_id)
        inner join wallet.hold as hold on named.hold_id = hold.hold_id
        inner join wallet.charge as charge
            on
                hold.organization_id = charge.organization_id
                and hold.customer_id = charge.customer_id
                and hold.wallet_id = charge.wallet_id
                and charge.requested_at between hold.opened_at and hold.opened_at + make_interval(secs => %(charge_window_seconds)s)
        where
            charge.hold_id is null
            and (charge.order_id is null or charge.source = 'transactions')
            and charge.charged_at <= %(as_of)s
            and abs(charge.amount - hold.amount) <= %(amount_tolerance)s
            and not exists (
                select
                from wallet.charge as own
                where own.hold_id in (hold.hold_id, hold.transaction_id) and own.charged_at <= %(as_of)s
            )
    );
