-- depends: 0030.another-person
-- Matches holds and charges of one sum on one wallet in near linear time: a wallet that many use has hundreds alike.

-- A tree of sums: each node has the sum of the weights below it, and the largest sum up to a place that may answer.
create function wallet.first_places(places integer[], weights integer[], answers boolean[]) returns integer[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    never constant integer := -1000000000;
    last constant integer := (select coalesce(max(place), 0) from unnest(places) as place);
    size integer := 1;
    sums integer[];
    largest integer[];
    answered integer[] := '{}';
    node integer;
    passed integer;
begin
    while size < last loop
        size := 2 * size;
    end loop;
    sums := array_fill(0, array[2 * size]);
    largest := array_fill(never, array[2 * size]);
    for step in 1 .. cardinality(places) loop
        if places[step] > 0 then
            node := size + places[step] - 1;
            sums[node] := weights[step];
            largest[node] := case when answers[step] then weights[step] else never end;
            while node > 1 loop
                node := node / 2;
                sums[node] := sums[2 * node] + sums[2 * node + 1];
                largest[node] := greatest(largest[2 * node], sums[2 * node] + largest[2 * node + 1]);
            end loop;
        elsif largest[1] < weights[step] then
            answered := answered || 0;
        else
            node := 1;
            passed := 0;
            while node < size loop
                node := 2 * node;
                if passed + largest[node] < weights[step] then
                    passed := passed + sums[node];
                    node := node + 1;
                end if;
            end loop;
            answered := answered || (node - size + 1);
        end if;
    end loop;
    return answered;
end;
$$;
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
                    -- A till's own record and the transactions report may both show one payment.
                    and not (
                        charge.source = 'transactions'
                        and exists (
                            select
                            from wallet.charge as reported
                            where
                                reported.organization_id = organization
                                and reported.customer_id = charge.customer_id
                                and reported.wallet_id = charge.wallet_id
                                and reported.amount = charge.amount
                                and reported.source <> 'transactions'
                                and reported.charged_at <= moment
                                and reported.requested_at between charge.requested_at - interval '10 minutes' and charge.requested_at + interval '10 minutes'
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
                select
                    one.operation_id,
                    one.amount,
                    one.requested_at,
                    one.charged_at,
                    (one.order_id is null or one.source = 'transactions') as is_of_all
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
            -- does not count holds of other orders. A few holds are looked at one by one.
            steps_of_each as (
                select
                    hold.hold_id,
                    one.operation_id,
                    one.amount,
                    one.charged_at as happened_at,
                    3 as turn,
                    1 as of_all,
                    1 as of_unordered,
                    one.is_of_all
                from unpaid as hold
                cross join usable as one
                where
                    cardinality(wallets.hold_ids) <= 4
                    and one.requested_at between hold.opened_at and hold.opened_at + make_interval(secs => window_seconds)
                    and one.charged_at >= hold.opened_at
                    and abs(one.amount - hold.amount) <= tolerance
                    and (one.is_of_all or hold.order_id is null)
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
                where cardinality(wallets.hold_ids) <= 4 and step.happened_at is not null
            ),

            walked_for_each as materialized (
                select
                    steps_of_each.*,
                    sum(steps_of_each.of_all) over so_far as left_of_all,
                    sum(steps_of_each.of_unordered) over so_far as left_of_unordered
                from steps_of_each
                window so_far as (partition by steps_of_each.hold_id order by steps_of_each.happened_at, steps_of_each.turn, steps_of_each.operation_id rows unbounded preceding)
            ),

            -- Many are looked at in one walk for each sum, because the same charges and rivals count for all of them. What has no order is walked
            -- twice: for charges that count all holds, and for those that do not.
            walks as materialized (
                select sums.amount, sums.has_order, walk.of_all
                from (select distinct unpaid.amount, unpaid.order_id is not null as has_order from unpaid) as sums
                inner join (values (true, true), (false, true), (false, false)) as walk (has_order, of_all) on sums.has_order = walk.has_order
                where cardinality(wallets.hold_ids) > 4
            ),

            steps as (
                select
                    walks.*,
                    one.operation_id as step_id,
                    one.charged_at as happened_at,
                    3 as turn,
                    1 as weight,
                    one.is_of_all = walks.of_all as answers,
                    least(one.requested_at, one.charged_at) as counts_until,
                    one.requested_at - make_interval(secs => window_seconds) as counts_from
                from walks
                inner join usable as one on abs(one.amount - walks.amount) <= tolerance
                where
                    (one.is_of_all or not walks.has_order)
                    and one.charged_at >= one.requested_at - make_interval(secs => window_seconds)
                union all
                select walks.*, rival.hold_id, step.happened_at, step.turn, step.weight, false, rival.opened_at, null
                from walks
                inner join rivals as rival on abs(rival.amount - walks.amount) <= tolerance and (walks.of_all or rival.order_id is null)
                cross join
                    lateral (
                        values (rival.opened_at, 1, -1), (rival.closed_at, 2, 1)
                    ) as step (happened_at, turn, weight)
                where step.happened_at is not null
            ),

            placed as (
                select
                    steps.*,
                    row_number() over (
                        partition by steps.amount, steps.has_order, steps.of_all
                        order by steps.happened_at, steps.turn, steps.step_id
                    )::integer as place
                from steps
            ),

            -- From the latest hold to the first: at each, the steps count that would be looked at for it alone.
            entries as (
                select
                    placed.amount,
                    placed.has_order,
                    placed.of_all,
                    placed.step_id,
                    placed.happened_at,
                    placed.place,
                    placed.weight,
                    placed.answers,
                    placed.counts_until as at,
                    case when placed.turn = 3 then 0 else 1 end as at_turn,
                    1 as at_last,
                    true as is_step
                from placed
                union all
                select
                    placed.amount,
                    placed.has_order,
                    placed.of_all,
                    placed.step_id,
                    placed.happened_at,
                    placed.place,
                    0,
                    false,
                    placed.counts_from,
                    2,
                    1,
                    false
                from placed
                where placed.turn = 3
                union all
                select walks.*, hold.hold_id, hold.opened_at, 0, 1, false, hold.opened_at, 1, 0, false
                from walks
                inner join unpaid as hold on walks.amount = hold.amount and walks.has_order = (hold.order_id is not null)
            ),

            walked as materialized (
                select
                    array_agg(entries.step_id order by entries.place) filter (where entries.is_step) as step_ids,
                    array_agg(entries.happened_at order by entries.place) filter (where entries.is_step) as times,
                    array_agg(entries.step_id order by entries.at desc, entries.step_id desc) filter (where entries.place = 0) as hold_ids,
                    wallet.first_places(
                        array_agg(entries.place order by entries.at desc, entries.at_turn, entries.step_id desc, entries.at_last),
                        array_agg(entries.weight order by entries.at desc, entries.at_turn, entries.step_id desc, entries.at_last),
                        array_agg(entries.answers order by entries.at desc, entries.at_turn, entries.step_id desc, entries.at_last)
                    ) as places
                from entries
                group by entries.amount, entries.has_order, entries.of_all
            )

            select distinct on (answer.hold_id) answer.hold_id, answer.operation_id, answer.charged_at
            from (
                select each.hold_id, each.operation_id, each.happened_at as charged_at
                from walked_for_each as each
                where each.turn = 3 and case when each.is_of_all then each.left_of_all else each.left_of_unordered end > 0
                union all
                select asked.hold_id, walked.step_ids[asked.place], walked.times[asked.place]
                from walked
                cross join unnest(walked.hold_ids, walked.places) as asked (hold_id, place)
                where asked.place > 0
            ) as answer
            order by answer.hold_id, answer.charged_at, answer.operation_id
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
        charge.amount,
        'sum'
    from summed
    inner join wallet.hold as hold on summed.hold_id = hold.hold_id
    inner join wallet.operation as charge on summed.operation_id = charge.operation_id
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
comment on function wallet.first_places(integer[], integer[], boolean[]) is
'Takes entries in turn: a place above 0 gets a weight, and whether it may answer; a place of 0 asks for the first place that may answer and up to '
'which the weights add up to at least the entry''s. Returns what each question found, 0 being none. An entry costs the logarithm of the places.';
