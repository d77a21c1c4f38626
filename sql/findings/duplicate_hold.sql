-- rule: duplicate_hold
-- meaning: Two holds of one wallet are open for the same order; or neither names an order, they are of the same sum, and the second came
--   within duplicate_window_seconds of the first. Found is each but the first.
-- severity: high
-- what to do: See which of the two the order service knows (by transaction_id) and release the other.
with open_hold as materialized (
    select hold.*
    from wallet.open_hold_as_of(%(as_of)s) as hold
    where hold.organization_id = %(organization_id)s
),

placed as (
    select
        open_hold.*,
        lag(open_hold.hold_id) over alike as former_hold_id,
        lag(open_hold.opened_at) over alike as former_opened_at
    from open_hold
    window
        alike as (
            partition by
                open_hold.customer_id,
                open_hold.wallet_id,
                open_hold.order_id,
                case when open_hold.order_id is null then open_hold.amount end
            order by open_hold.opened_at asc, open_hold.hold_id asc
        )
)

select
    'hold:' || placed.hold_id as subject,
    placed.organization_id,
    placed.customer_id,
    placed.wallet_id,
    placed.hold_id,
    placed.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'hold_id', placed.hold_id,
        'transaction_id', placed.transaction_id,
        'amount', placed.amount,
        'opened_at', placed.opened_at,
        'order_id', placed.order_id,
        'former_hold_id', placed.former_hold_id,
        'former_opened_at', placed.former_opened_at
    ) as evidence
from placed
where
    placed.former_hold_id is not null
    and (
        placed.order_id is not null
        or placed.opened_at <= placed.former_opened_at + make_interval(secs => %(duplicate_window_seconds)s)
    );
