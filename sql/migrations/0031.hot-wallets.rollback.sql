-- As in 0010.
-- noqa: disable=AL03,AL08,RF01,RF03
create or replace function wallet.hold_charge_as_of(moment timestamptz, organization uuid, window_seconds double precision, tolerance numeric)
returns table (
    hold_id uuid,
    customer_id uuid,
    wallet_id uuid,
    amount numeric,
    order_id text,
    order_state text,
    transaction_id uuid,
    opened_at timestamptz,
    charge_id uuid,
    charged_at timestamptz,
    charged_amount numeric,
    matched_by text
)
language sql
stable
begin atomic  -- bound when it is made, independent of the caller's search_path
    with held as materialized (
        select one.*
        from wallet.open_hold_as_of(moment) as one
        where one.organization_id = organization
    ),

    -- What was found for a hold stays beside it: there is no hash join here, so that to join these again would look at all of them for each.
    looked_up as materialized (
        select hold.*, charge.operation_id as charge_id, charge.charged_at, charge.amount as charged_amount, charge.matched_by
        from held as hold
        left join lateral (
            (
                select one.operation_id, one.charged_at, one.amount, 'hold' as matched_by, 1 as preference
                from wallet.charge as one
                where one.hold_id in (hold.hold_id, hold.transaction_id) and not one.consumes_hold and one.charged_at <= moment
                order by one.charged_at, one.operation_id
                limit 1
            )
            union all
            (
                select one.operation_id, one.charged_at, one.amount, 'order' as matched_by, 2 as preference
                from (
                    select found.*, row_number() over (order by found.charged_at, found.operation_id) as place
                    from wallet.charge as found
                    where
                        found.organization_id = hold.organization_id
                        and found.order_id = hold.order_id
                        and (found.customer_id, found.wallet_id) is not distinct from (hold.customer_id, hold.wallet_id)  -- by the order's index
                        and found.hold_id is null
                        and found.source <> 'transactions'
                        and found.charged_at between hold.opened_at and moment
                        and (
                            abs(found.amount - hold.amount) <= tolerance
                            or not exists (
                                select
                                from wallet.hold as other
                                where
                                    other.organization_id = hold.organization_id
                                    and other.order_id = hold.order_id
                                    and other.customer_id = hold.customer_id
                                    and other.wallet_id = hold.wallet_id
                                    and other.hold_id <> hold.hold_id
                                    and other.confirmed_at <= moment
                            )
                        )
                ) as one
                where
                    one.place > (
                        select count(*)
                        from wallet.hold as rival
                        where
                            rival.organization_id = hold.organization_id
                            and rival.order_id = hold.order_id
                            and rival.customer_id = hold.customer_id
                            and rival.wallet_id = hold.wallet_id
                            and abs(rival.amount - hold.amount) <= tolerance
                            and (rival.opened_at, rival.hold_id) > (hold.opened_at, hold.hold_id)
                            and rival.opened_at <= one.charged_at
                            and rival.confirmed_at <= moment
                            and (rival.closed_at is null or rival.closed_at > one.charged_at)
                            and not exists (
                                select
                                from wallet.charge as own
                                where own.hold_id in (rival.hold_id, rival.transaction_id) and own.charged_at <= moment
                            )
                    )
                order by one.charged_at, one.operation_id
                limit 1
            )
            order by preference
            limit 1
        ) as charge on true
    ),

    -- Each charge and each rival is looked at once for a wallet, however many holds it has: a wallet that many use has hundreds alike.
    wallets as materialized (
        select
            hold.customer_id,
            hold.wallet_id,
            array_agg(hold.hold_id) as hold_ids,
            range_agg(tstzrange(hold.opened_at, hold.opened_at + make_interval(secs => window_seconds), '[]')) as periods
        from looked_up as hold
        where hold.charge_id is null
        group by hold.customer_id, hold.wallet_id
    ),

    -- Most wallets have no charge that could be for a hold.
    charged as materialized (
        select wallets.customer_id, wallets.wallet_id, wallets.hold_ids, array_agg(one.operation_id) as charge_ids
        from wallets
        cross join unnest(wallets.periods) as period
        cross join
            lateral (
                select charge.operation_id
                from wallet.charge as charge
                where
                    charge.organization_id = organization
                    and charge.customer_id = wallets.customer_id
                    and charge.wallet_id = wallets.wallet_id
                    and charge.hold_id is null
                    and charge.requested_at between lower(period) and upper(period)
                    and charge.charged_at <= moment
                    -- Counts and not `exists`, as above.
                    and 0 = (
                        select count(*)
                        from wallet.hold as ordered
                        where
                            charge.source <> 'transactions'
                            and ordered.organization_id = organization
                            and ordered.order_id = charge.order_id
                            and ordered.customer_id = charge.customer_id
                            and ordered.wallet_id = charge.wallet_id
                            and ordered.opened_at <= charge.charged_at
                    )
                    -- A till's own record and the transactions report may tell of the same payment.
                    and not (
                        charge.source = 'transactions'
                        and exists (
                            select
                            from wallet.charge as told
                            where
                                told.organization_id = organization
                                and told.customer_id = charge.customer_id
                                and told.wallet_id = charge.wallet_id
                                and told.amount = charge.amount
                                and told.source <> 'transactions'
                                and told.charged_at <= moment
                                and told.requested_at between charge.requested_at - interval '10 minutes' and charge.requested_at + interval '10 minutes'
                        )
                    )
            ) as one
        group by wallets.customer_id, wallets.wallet_id, wallets.hold_ids
    ),

    summed as materialized (
        select found.*
        from charged as wallets
        cross join lateral (
            with usable as materialized (
                select one.operation_id, one.amount, one.order_id, one.source, one.requested_at, one.charged_at
                from wallet.charge as one
                where one.operation_id = any(wallets.charge_ids)
            ),

            span as materialized (
                select min(usable.requested_at) as first_at, max(usable.charged_at) as last_at
                from usable
                having count(*) > 0
            ),

            unpaid as materialized (
                select hold.*
                from span
                cross join unnest(wallets.hold_ids) as named (hold_id)
                inner join wallet.hold as hold on named.hold_id = hold.hold_id
            ),

            rivals as materialized (
                select rival.*
                from span
                inner join wallet.hold as rival
                    on
                        rival.organization_id = organization
                        and wallets.customer_id = rival.customer_id
                        and wallets.wallet_id = rival.wallet_id
                        and rival.opened_at between span.first_at - make_interval(secs => window_seconds) and span.last_at
                        and rival.confirmed_at <= moment
                where
                    0 = (
                        select count(*)
                        from wallet.charge as own
                        where own.hold_id in (rival.hold_id, rival.transaction_id) and own.charged_at <= moment
                    )
                    and 0 = (
                        select count(*)
                        from wallet.charge as own
                        where
                            own.organization_id = organization
                            and own.order_id = rival.order_id
                            and own.source <> 'transactions'
                            and (own.customer_id, own.wallet_id) is not distinct from (rival.customer_id, rival.wallet_id)
                            and own.charged_at <= moment
                    )
            ),

            -- A hold gets the first charge at which more charges than later holds still open went by since it was opened. A charge of an order
            -- does not count holds of other orders.
            steps as (
                select
                    hold.hold_id,
                    one.operation_id,
                    one.amount,
                    one.charged_at as happened_at,
                    3 as turn,
                    1 as of_all,
                    1 as of_unordered,
                    (one.order_id is null or one.source = 'transactions') as is_of_all
                from unpaid as hold
                cross join usable as one
                where
                    one.requested_at between hold.opened_at and hold.opened_at + make_interval(secs => window_seconds)
                    and one.charged_at >= hold.opened_at
                    and abs(one.amount - hold.amount) <= tolerance
                    and (one.order_id is null or one.source = 'transactions' or hold.order_id is null)
                union all
                select
                    hold.hold_id,
                    rival.hold_id,
                    null,
                    step.happened_at,
                    step.turn,
                    step.weight,
                    case when rival.order_id is null then step.weight else 0 end,
                    null
                from unpaid as hold
                inner join rivals as rival
                    on
                        (rival.opened_at, rival.hold_id) > (hold.opened_at, hold.hold_id)
                        and abs(rival.amount - hold.amount) <= tolerance
                cross join
                    lateral (
                        values (rival.opened_at, 1, -1), (rival.closed_at, 2, 1)
                    ) as step (happened_at, turn, weight)
                where step.happened_at is not null
            ),

            walked as materialized (
                select
                    steps.*,
                    sum(steps.of_all) over so_far as left_of_all,
                    sum(steps.of_unordered) over so_far as left_of_unordered
                from steps
                window so_far as (partition by steps.hold_id order by steps.happened_at, steps.turn, steps.operation_id rows unbounded preceding)
            )

            select distinct on (walked.hold_id) walked.hold_id, walked.operation_id, walked.happened_at as charged_at, walked.amount
            from walked
            where walked.turn = 3 and case when walked.is_of_all then walked.left_of_all else walked.left_of_unordered end > 0
            order by walked.hold_id, walked.happened_at, walked.operation_id
        ) as found
    )

    select
        hold.hold_id,
        hold.customer_id,
        hold.wallet_id,
        hold.amount,
        hold.order_id,
        hold.order_state,
        hold.transaction_id,
        hold.opened_at,
        hold.charge_id,
        hold.charged_at,
        hold.charged_amount,
        hold.matched_by
    from looked_up as hold
    where hold.charge_id is not null
    union all
    select
        hold.hold_id,
        hold.customer_id,
        hold.wallet_id,
        hold.amount,
        hold.order_id,
        known.state,
        hold.transaction_id,
        hold.opened_at,
        summed.operation_id,
        summed.charged_at,
        summed.amount,
        'sum'
    from summed
    inner join wallet.hold as hold on summed.hold_id = hold.hold_id
    left join lateral (
        select version.state
        from wallet.payment_order_version as version
        where
            version.organization_id = hold.organization_id
            and version.order_id = hold.order_id
            and version.state_at <= moment
        order by version.state_at desc, version.state = 'open', version.state
        limit 1
    ) as known on true;
end;
-- noqa: enable=AL03,AL08,RF01,RF03

drop function wallet.first_places(integer[], integer[], boolean[]);
