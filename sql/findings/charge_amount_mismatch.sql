-- rule: charge_amount_mismatch
-- meaning: The charges for a hold add up to another sum than was held, by more than amount_tolerance, and the last of them is older than
--   settle_grace_seconds. A charge is for a hold if it names it, or its order where that has just one hold on the wallet. That a
--   till consumed the hold counts once, however many tell of it.
-- severity: medium
-- what to do: Compare with the order. If too much was charged (severity high), give the difference back by a top-up; if too little, see that the
--   rest of the hold was not left set aside.
-- blind to: Charges that name neither hold nor order, payments known only from the transactions report (matched by their sum), and holds
--   whose last charge is older than lookback_seconds: after that the finding closes.
with charged as (
    select
        hold.hold_id,
        hold.transaction_id,
        hold.organization_id,
        hold.customer_id,
        hold.wallet_id,
        hold.order_id,
        hold.amount,
        hold.opened_at,
        charge.operation_id,
        charge.amount as charged_amount,
        -- one that is older than the lookback, maybe
        exists (
            select
            from wallet.operation as other
            where
                other.kind = 'chargeoff'
                and other.hold_id in (hold.hold_id, hold.transaction_id)
                and other.operation_id <> charge.operation_id
        )
        or exists (
            select
            from wallet.operation as other
            where
                other.kind = 'chargeoff'
                and other.organization_id = hold.organization_id
                and other.order_id = hold.order_id
                and other.operation_id <> charge.operation_id
        ) as has_another
    from wallet.charge as charge
    inner join lateral (
        select named.*
        from wallet.hold as named
        where named.hold_id = charge.hold_id
        union all
        select named.*
        from wallet.hold as named
        where named.transaction_id = charge.hold_id and named.hold_id <> charge.hold_id
        union all
        select named.*
        from wallet.hold as named
        where
            charge.hold_id is null
            and named.organization_id = charge.organization_id
            and named.order_id = charge.order_id
            and named.customer_id = charge.customer_id
            and named.wallet_id = charge.wallet_id
            and named.opened_at <= charge.charged_at
    ) as hold on hold.opened_at <= %(as_of)s and (hold.closed_by is distinct from 'rejected' or hold.closed_at > %(as_of)s)
    where
        charge.organization_id = %(organization_id)s
        and charge.source <> 'transactions'
        and charge.requested_at > %(as_of)s - make_interval(secs => %(lookback_seconds)s)
        and charge.requested_at <= %(as_of)s
        and charge.charged_at <= %(as_of)s
),

-- Nearly every hold has one charge of the same sum: only the others are looked at closely.
recent as materialized (
    select
        charged.hold_id,
        charged.transaction_id,
        charged.organization_id,
        charged.customer_id,
        charged.wallet_id,
        charged.order_id,
        charged.amount,
        charged.opened_at
    from charged
    group by
        charged.hold_id,
        charged.transaction_id,
        charged.organization_id,
        charged.customer_id,
        charged.wallet_id,
        charged.order_id,
        charged.amount,
        charged.opened_at
    having bool_or(charged.has_another) or bool_or(abs(charged.charged_amount - charged.amount) > %(amount_tolerance)s)
),

summed as (
    select
        recent.*,
        paid.charged_amount,
        paid.last_charged_at,
        paid.charge_ids
    from recent
    inner join lateral (
        select
            coalesce(sum(one.amount) filter (where not one.consumes_hold), 0)
            + coalesce(max(one.amount) filter (where one.consumes_hold), 0) as charged_amount,
            max(one.charged_at) as last_charged_at,
            jsonb_agg(one.operation_id order by one.charged_at, one.operation_id) as charge_ids
        from (
            select named.operation_id, named.amount, named.charged_at, named.consumes_hold
            from wallet.charge as named
            where named.hold_id in (recent.hold_id, recent.transaction_id) and named.charged_at <= %(as_of)s
            union
            select named.operation_id, named.amount, named.charged_at, named.consumes_hold
            from wallet.charge as named
            where
                named.hold_id is null
                and named.source <> 'transactions'
                and named.organization_id = recent.organization_id
                and named.order_id = recent.order_id
                and (named.customer_id, named.wallet_id) is not distinct from (recent.customer_id, recent.wallet_id)
                and named.charged_at between recent.opened_at and %(as_of)s
                and not exists (
                    select
                    from wallet.hold as other
                    where
                        other.organization_id = recent.organization_id
                        and other.order_id = recent.order_id
                        and other.customer_id = recent.customer_id
                        and other.wallet_id = recent.wallet_id
                        and other.hold_id <> recent.hold_id
                        and other.opened_at <= %(as_of)s
                        and (other.closed_by is distinct from 'rejected' or other.closed_at > %(as_of)s)
                )
        ) as one
    ) as paid on paid.last_charged_at is not null
)

select
    'hold:' || summed.hold_id as subject,
    summed.organization_id,
    summed.customer_id,
    summed.wallet_id,
    summed.hold_id,
    abs(summed.charged_amount - summed.amount) as amount_at_risk,
    case when summed.charged_amount > summed.amount then 'high' else %(severity)s::text end as severity,
    jsonb_build_object(
        'hold_id', summed.hold_id,
        'transaction_id', summed.transaction_id,
        'amount', summed.amount,
        'charged_amount', summed.charged_amount,
        'charge_ids', summed.charge_ids,
        'last_charged_at', summed.last_charged_at,
        'order_id', summed.order_id
    ) as evidence
from summed
where
    abs(summed.charged_amount - summed.amount) > %(amount_tolerance)s
    and summed.last_charged_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s);
