-- rule: charge_without_hold
-- meaning: Another program charged a wallet more than settle_grace_seconds ago without a hold that it could be for: it names a hold that the ledger
--   does not have; or it names none, there is no hold of its order on the wallet, and none of its sum (of no order, where it names one) in the
--   charge_window_seconds before, or other charges have used those up, as when a guest is charged twice for one hold.
-- severity: medium
-- what to do: Look for the hold in the order service's records and import it; if there was none, ask whether the guest was charged twice. Where
--   an organization charges without holds on purpose, switch the rule off for it.
-- blind to: Charges that we sent ourselves without a hold, payments known only from the transactions report, and charges older than
--   lookback_seconds: after that the finding closes.
with charge as materialized (
    select one.*
    from wallet.charge as one
    where
        one.organization_id = %(organization_id)s
        and one.requested_at > %(as_of)s - make_interval(secs => %(lookback_seconds)s)
        and one.requested_at <= %(as_of)s
        and one.charged_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s)
        and one.source <> 'transactions'
        and not one.is_ours
),

judged as (
    select
        charge.*,
        case
            when charge.hold_id is not null
                then
                    exists (
                        select
                        from wallet.hold as named
                        where
                            (named.hold_id = charge.hold_id or named.transaction_id = charge.hold_id)
                            and named.opened_at <= %(as_of)s
                    )
            when
                exists (
                    select
                    from wallet.hold as hold
                    where
                        hold.organization_id = charge.organization_id
                        and hold.order_id = charge.order_id
                        and hold.customer_id = charge.customer_id
                        and hold.wallet_id = charge.wallet_id
                        and hold.opened_at <= charge.charged_at
                        and (hold.closed_by is distinct from 'rejected' or hold.closed_at > %(as_of)s)
                )
                then true
            -- As brackets: going back from the charge, there must be some hold by which there are as many holds as charges.
            else exists (
                select
                from (
                    select
                        step.is_hold,
                        sum(case when step.is_hold then 1 else -1 end)
                            over (order by step.happened_at desc, step.is_hold asc, step.id desc) as left_over
                    from (
                        select
                            hold.hold_id as id,
                            true as is_hold,
                            hold.opened_at as happened_at
                        from wallet.hold as hold
                        where
                            hold.organization_id = charge.organization_id
                            and hold.customer_id = charge.customer_id
                            and hold.wallet_id = charge.wallet_id
                            and hold.opened_at <= charge.charged_at
                            and hold.opened_at > charge.charged_at - make_interval(secs => %(charge_window_seconds)s)
                            and (hold.closed_by is distinct from 'rejected' or hold.closed_at > %(as_of)s)
                            and (hold.order_id is null or charge.order_id is null)
                            and abs(hold.amount - charge.amount) <= %(amount_tolerance)s
                            and not exists (
                                select
                                from wallet.charge as own
                                where own.hold_id in (hold.hold_id, hold.transaction_id) and own.charged_at <= %(as_of)s
                            )
                            and not exists (
                                select
                                from wallet.charge as own
                                where
                                    own.source <> 'transactions'
                                    and own.organization_id = hold.organization_id
                                    and own.order_id = hold.order_id
                                    and (own.customer_id, own.wallet_id) is not distinct from (hold.customer_id, hold.wallet_id)
                                    and own.charged_at <= %(as_of)s
                            )
                        union all
                        select
                            other.operation_id as id,
                            false as is_hold,
                            other.charged_at as happened_at
                        from wallet.charge as other
                        where
                            other.organization_id = charge.organization_id
                            and other.customer_id = charge.customer_id
                            and other.wallet_id = charge.wallet_id
                            and other.hold_id is null
                            and other.requested_at > charge.charged_at - make_interval(secs => %(charge_window_seconds)s)
                            and (other.charged_at, other.operation_id) <= (charge.charged_at, charge.operation_id)
                            and other.source <> 'transactions'
                            and (other.order_id is null or charge.order_id is null or other.operation_id = charge.operation_id)
                            and abs(other.amount - charge.amount) <= %(amount_tolerance)s
                            and not exists (
                                select
                                from wallet.hold as named
                                where
                                    named.organization_id = other.organization_id
                                    and named.order_id = other.order_id
                                    and named.customer_id = other.customer_id
                                    and named.wallet_id = other.wallet_id
                                    and named.opened_at <= other.charged_at
                            )
                    ) as step
                ) as walk
                where walk.is_hold and walk.left_over >= 0
            )
        end as has_a_hold
    from charge
)

select
    'operation:' || judged.operation_id as subject,
    judged.organization_id,
    judged.customer_id,
    judged.wallet_id,
    null::uuid as hold_id,
    judged.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'charge_id', judged.operation_id,
        'amount', judged.amount,
        'charged_at', judged.charged_at,
        'order_id', judged.order_id,
        'named_hold_id', judged.hold_id,
        'source', judged.source
    ) as evidence
from judged
where not judged.has_a_hold;
