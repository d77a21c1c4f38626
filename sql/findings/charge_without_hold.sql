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

judged as materialized (
    select
        charge.operation_id,
        charge.customer_id,
        charge.wallet_id,
        charge.charged_at,
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
        end as has_a_hold
    from charge
),

-- The others are for a hold of their sum, if any. What could be is read once for a wallet, however many charges it has.
wallets as materialized (
    select
        judged.customer_id,
        judged.wallet_id,
        array_agg(judged.operation_id) as charge_ids,
        range_agg(tstzrange(judged.charged_at - make_interval(secs => %(charge_window_seconds)s), judged.charged_at, '(]')) as periods
    from judged
    where judged.has_a_hold is null
    group by judged.customer_id, judged.wallet_id
),

walked as materialized (
    select walk.operation_id
    from wallets
    cross join lateral (
        with holds as materialized (
            select hold.hold_id, hold.order_id, hold.amount, hold.opened_at
            from unnest(wallets.periods) as period
            inner join wallet.hold as hold
                on
                    hold.organization_id = %(organization_id)s
                    and wallets.customer_id = hold.customer_id
                    and wallets.wallet_id = hold.wallet_id
                    and hold.opened_at > lower(period)
                    and hold.opened_at <= upper(period)
            where
                (hold.closed_by is distinct from 'rejected' or hold.closed_at > %(as_of)s)
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
        ),

        -- Charges that use up holds.
        users as materialized (
            select one.operation_id, one.order_id, one.amount, one.requested_at, one.charged_at
            from wallet.charge as one
            where
                exists (select from holds)
                and one.organization_id = %(organization_id)s
                and one.customer_id = wallets.customer_id
                and one.wallet_id = wallets.wallet_id
                and one.hold_id is null
                and one.requested_at > lower(wallets.periods)
                and one.charged_at <= upper(wallets.periods)
                and one.requested_at > one.charged_at - make_interval(secs => %(charge_window_seconds)s)
                and one.source <> 'transactions'
                -- Counts and not `exists`: that is turned into a join, which looks at every hold of the wallet for each charge.
                and 0 = (
                    select count(*)
                    from wallet.hold as named
                    where
                        named.organization_id = one.organization_id
                        and named.order_id = one.order_id
                        and named.customer_id = one.customer_id
                        and named.wallet_id = one.wallet_id
                        and named.opened_at <= one.charged_at
                )
        ),

        -- A charge counts itself, unless it is not among those that use up holds.
        asked as materialized (
            select
                one.operation_id,
                one.amount,
                one.charged_at,
                one.order_id is not null as has_order,
                case
                    when
                        one.requested_at > one.charged_at - make_interval(secs => %(charge_window_seconds)s)
                        and not exists (
                            select
                            from wallet.hold as named
                            where
                                named.organization_id = one.organization_id
                                and named.order_id = one.order_id
                                and named.customer_id = one.customer_id
                                and named.wallet_id = one.wallet_id
                                and named.opened_at <= one.charged_at
                        )
                        then 1
                    else 0
                end as needs
            from wallet.charge as one
            where one.operation_id = any(wallets.charge_ids)
        ),

        -- As brackets: going back from the charge, there must be some hold by which there are as many holds as charges. Those of an order count
        -- only what has none. A few charges are looked at one by one.
        alone as (
            select asked.operation_id
            from asked
            where
                cardinality(wallets.charge_ids) <= 4
                and not exists (
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
                            from holds as hold
                            where
                                hold.opened_at <= asked.charged_at
                                and hold.opened_at > asked.charged_at - make_interval(secs => %(charge_window_seconds)s)
                                and abs(hold.amount - asked.amount) <= %(amount_tolerance)s
                                and (not asked.has_order or hold.order_id is null)
                            union all
                            select
                                other.operation_id as id,
                                false as is_hold,
                                other.charged_at as happened_at
                            from users as other
                            where
                                other.requested_at > asked.charged_at - make_interval(secs => %(charge_window_seconds)s)
                                and (other.charged_at, other.operation_id) < (asked.charged_at, asked.operation_id)
                                and abs(other.amount - asked.amount) <= %(amount_tolerance)s
                                and (not asked.has_order or other.order_id is null)
                        ) as step
                    ) as walk
                    where walk.is_hold and walk.left_over >= asked.needs
                )
        ),

        -- Many are looked at in one walk for each sum.
        walks as materialized (
            select distinct asked.amount, asked.has_order
            from asked
            where cardinality(wallets.charge_ids) > 4
        ),

        steps as (
            select
                walks.*,
                hold.hold_id as step_id,
                hold.opened_at as happened_at,
                true as is_hold,
                hold.opened_at + make_interval(secs => %(charge_window_seconds)s) as counts_until
            from walks
            inner join holds as hold
                on
                    abs(hold.amount - walks.amount) <= %(amount_tolerance)s
                    and (not walks.has_order or hold.order_id is null)
            union all
            select
                walks.*,
                one.operation_id,
                one.charged_at,
                false as is_hold,
                one.requested_at + make_interval(secs => %(charge_window_seconds)s) as counts_until
            from walks
            inner join users as one
                on
                    abs(one.amount - walks.amount) <= %(amount_tolerance)s
                    and (not walks.has_order or one.order_id is null)
        ),

        placed as (
            select
                steps.*,
                row_number() over (
                    partition by steps.amount, steps.has_order
                    order by steps.happened_at desc, steps.is_hold asc, steps.step_id desc
                )::integer as place
            from steps
        ),

        -- From the first charge to the latest: at each, the steps count that would be looked at for it alone.
        entries as (
            select
                placed.amount,
                placed.has_order,
                placed.step_id,
                placed.place,
                case when placed.is_hold then 1 else -1 end as weight,
                placed.is_hold as answers,
                placed.happened_at as at,
                case when placed.is_hold then 0 else 2 end as at_turn,
                1 as at_last
            from placed
            union all
            select
                placed.amount,
                placed.has_order,
                placed.step_id,
                placed.place,
                0 as weight,
                false as answers,
                placed.counts_until as at,
                1 as at_turn,
                1 as at_last
            from placed
            union all
            select
                asked.amount,
                asked.has_order,
                asked.operation_id as step_id,
                0 as place,
                asked.needs as weight,
                false as answers,
                asked.charged_at as at,
                2 as at_turn,
                0 as at_last
            from asked
            where cardinality(wallets.charge_ids) > 4
        ),

        together as materialized (
            select
                array_agg(entries.step_id order by entries.at, entries.step_id) filter (where entries.place = 0) as charge_ids,
                wallet.first_places(
                    array_agg(entries.place order by entries.at, entries.at_turn, entries.step_id, entries.at_last),
                    array_agg(entries.weight order by entries.at, entries.at_turn, entries.step_id, entries.at_last),
                    array_agg(entries.answers order by entries.at, entries.at_turn, entries.step_id, entries.at_last)
                ) as places
            from entries
            group by entries.amount, entries.has_order
        )

        select alone.operation_id
        from alone
        union all
        select asked.operation_id
        from together
        cross join unnest(together.charge_ids, together.places) as asked (operation_id, place)
        where asked.place = 0
    ) as walk
),

without as (
    select judged.operation_id
    from judged
    where not judged.has_a_hold
    union all
    select walked.operation_id
    from walked
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
from without
inner join wallet.charge as judged on without.operation_id = judged.operation_id;
