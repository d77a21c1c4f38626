-- rule: unexplained_balance_change
-- meaning: While a hold was open, two looks at its wallet (syrve.wallet_balance_history) differ by something else than what the ledger, or the
--   transactions report, says was moved in between, by more than balance_tolerance: money was moved and not reported.
-- severity: medium
-- what to do: Look at the wallet's movements in the back office. A change of just the hold's amount most likely means that the till consumed the
--   hold, or that Syrve ended it: import that. Anything else is a charge or a top-up that was not reported.
-- blind to: Wallets without an open hold; a wallet that is new to the mirror; movements that cancel out between two looks; changes with a
--   movement within balance_skew_seconds of either look, or with one whose outcome is unknown, since it may be on either side; changes older
--   than lookback_seconds. Whether a balance shows held money is not known unless balance_shows_held_money says so: then either will do.
with held as materialized (
    select
        hold.organization_id,
        hold.customer_id,
        hold.wallet_id,
        greatest(min(hold.opened_at), %(as_of)s - make_interval(secs => %(lookback_seconds)s)) as since,
        (array_agg(hold.hold_id order by hold.opened_at, hold.hold_id))[1] as hold_id
    from wallet.open_hold_as_of(%(as_of)s) as hold
    where hold.organization_id = %(organization_id)s
    group by hold.organization_id, hold.customer_id, hold.wallet_id
),

looked as (
    select
        held.*,
        former.balance as balance_before,
        later.balance as balance_after,
        former.valid_from as seen_before_at,
        later.valid_from as seen_after_at
    from held
    inner join syrve.wallet_balance_history as later
        on
            held.organization_id = later.organization_id
            and held.customer_id = later.customer_id
            and held.wallet_id = later.wallet_id
            and held.since < later.valid_from
            and later.valid_from <= %(as_of)s - make_interval(secs => %(balance_skew_seconds)s)
    inner join syrve.wallet_balance_version as former
        on
            later.organization_id = former.organization_id
            and later.customer_id = former.customer_id
            and later.wallet_id = former.wallet_id
            and later.valid_from = former.valid_to
),

explained as (
    -- shown and hidden: what each movement does to a balance that shows held money, and to one that does not; it may have happened at any time
    -- from begun_at to done_at. Through any organization: those of one network share their customers' wallets.
    select
        looked.*,
        looked.balance_after - looked.balance_before as change,
        coalesce(told.shown, 0) as shown,
        coalesce(told.hidden, 0) as hidden,
        coalesce(told.is_unclear, false) or coalesce(report.is_unclear, false) as is_unclear,
        report.moved as reported,
        coalesce(report.moved_by_others, 0) as reported_of_others
    from looked
    left join lateral (
        select
            sum(movement.shown) filter (
                where movement.done_at > looked.seen_before_at and movement.done_at <= looked.seen_after_at
            ) as shown,
            sum(movement.hidden) filter (
                where movement.done_at > looked.seen_before_at and movement.done_at <= looked.seen_after_at
            ) as hidden,
            bool_or(
                case
                    when movement.done_at is null then movement.begun_at <= looked.seen_after_at
                    else
                        during.period && tstzrange(
                            looked.seen_before_at - make_interval(secs => %(balance_skew_seconds)s),
                            looked.seen_before_at + make_interval(secs => %(balance_skew_seconds)s), '[]'
                        )
                        or during.period && tstzrange(
                            looked.seen_after_at - make_interval(secs => %(balance_skew_seconds)s),
                            looked.seen_after_at + make_interval(secs => %(balance_skew_seconds)s), '[]'
                        )
                end
            ) as is_unclear
        from (
            select
                hold.opened_at as begun_at,
                case when hold.confirmed_at <= %(as_of)s then hold.confirmed_at end as done_at,
                0::numeric as shown,
                -hold.amount as hidden
            from wallet.hold as hold
            where
                hold.customer_id = looked.customer_id
                and hold.wallet_id = looked.wallet_id
                and hold.opened_at <= %(as_of)s
                and (hold.closed_by is distinct from 'rejected' or hold.closed_at > %(as_of)s)
            union all
            select
                coalesce(ending.requested_at, hold.closed_at) as begun_at,
                hold.closed_at as done_at,
                case when hold.closed_by = 'consumed' then -hold.amount else 0 end as shown,
                case when hold.closed_by = 'cancelled' then hold.amount else 0 end as hidden
            from wallet.hold as hold
            left join wallet.operation as ending on hold.closing_operation_id = ending.operation_id
            where
                hold.customer_id = looked.customer_id
                and hold.wallet_id = looked.wallet_id
                and hold.closed_by in ('cancelled', 'consumed')
                and hold.closed_at <= %(as_of)s
            union all
            select
                operation.requested_at as begun_at,
                event.occurred_at as done_at,
                case operation.kind when 'topup' then operation.amount else -operation.amount end as shown,
                case operation.kind when 'topup' then operation.amount else -operation.amount end as hidden
            from wallet.operation as operation
            inner join wallet.operation_event as event on operation.operation_id = event.operation_id and event.state = 'confirmed'
            where
                operation.customer_id = looked.customer_id
                and operation.wallet_id = looked.wallet_id
                and operation.kind in ('topup', 'chargeoff')
                and not operation.consumes_hold
                -- Its maker's own record and the transactions report may tell of the same movement.
                and not (
                    operation.source = 'transactions'
                    and exists (
                        select
                        from wallet.operation as told
                        where
                            told.customer_id = operation.customer_id
                            and told.wallet_id = operation.wallet_id
                            and told.kind = operation.kind
                            and told.amount = operation.amount
                            and told.source <> 'transactions'
                            and told.requested_at between operation.requested_at - interval '10 minutes' and operation.requested_at + interval '10 minutes'
                    )
                )
                and operation.requested_at > looked.seen_before_at - make_interval(secs => %(lookback_seconds)s)
                and operation.requested_at <= looked.seen_after_at + make_interval(secs => %(balance_skew_seconds)s)
                and event.occurred_at <= %(as_of)s
            union all
            select
                unsettled.sent_at as begun_at,
                null as done_at,
                0 as shown,
                0 as hidden
            from wallet.unsettled_operation as unsettled
            left join wallet.hold as ended on unsettled.hold_id in (ended.hold_id, ended.transaction_id)
            where
                coalesce(ended.customer_id, unsettled.customer_id) = looked.customer_id
                and unsettled.kind <> 'hold'
                and unsettled.sent_at <= looked.seen_after_at
                and (unsettled.settled_at > %(as_of)s or unsettled.settled_at is null)
        ) as movement
        cross join
            lateral (
                select tstzrange(least(movement.begun_at, movement.done_at), greatest(movement.begun_at, movement.done_at), '[]') as period
            ) as during
    ) as told on true
    left join lateral (
        select
            sum(one.balance_after - one.balance_before) as moved,
            sum(one.balance_after - one.balance_before) filter (
                where
                one.marked_operation_id is null
                and not exists (
                    select
                    from wallet.operation as taken_in
                    where taken_in.source = 'transactions' and taken_in.idempotency_key = one.transaction_id::text
                )
                and not exists (
                    select
                    from wallet.hold as hold
                    where hold.hold_id = one.transaction_id or hold.transaction_id = one.transaction_id
                )
            ) as moved_by_others,
            bool_or(
                least(abs(extract(epoch from one.created_at - looked.seen_before_at)), abs(extract(epoch from one.created_at - looked.seen_after_at)))
                <= %(balance_skew_seconds)s
            ) as is_unclear
        from wallet.transaction as one
        where
            one.customer_id = looked.customer_id
            and one.wallet_id = looked.wallet_id
            and one.created_at > looked.seen_before_at - make_interval(secs => %(balance_skew_seconds)s)
            and one.created_at <= looked.seen_after_at + make_interval(secs => %(balance_skew_seconds)s)
    ) as report on true
),

missing as (
    select
        explained.*,
        (
            select expected.sum
            from (
                values
                (explained.shown, true),
                (explained.shown + explained.reported_of_others, true),
                (explained.hidden, false),
                (explained.hidden + explained.reported_of_others, false),
                (explained.reported, null)
            ) as expected (sum, is_shown)
            where
                expected.sum is not null
                and (
                    %(balance_shows_held_money)s::boolean is null
                    or expected.is_shown is null
                    or expected.is_shown = %(balance_shows_held_money)s::boolean
                )
            order by abs(explained.change - expected.sum), abs(expected.sum)
            limit 1
        ) as expected
    from explained
    where not explained.is_unclear
)

select
    'wallet:' || missing.organization_id || ':' || missing.customer_id || ':' || missing.wallet_id as subject,
    missing.organization_id,
    missing.customer_id,
    missing.wallet_id,
    null::uuid as hold_id,
    sum(abs(missing.change - missing.expected)) as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'hold_ids', jsonb_agg(distinct missing.hold_id),
        'changes', jsonb_agg(
            jsonb_build_object(
                'seen_before_at', missing.seen_before_at,
                'seen_after_at', missing.seen_after_at,
                'change', missing.change,
                'expected', missing.expected
            ) order by missing.seen_after_at
        )
    ) as evidence
from missing
-- Six decimals are more than any currency has; what comes after is noise of the doubles that balances travel as.
where round(abs(missing.change - missing.expected), 6) > %(balance_tolerance)s
group by missing.organization_id, missing.customer_id, missing.wallet_id;
