-- depends: 0015.wallet-payments
-- What the ledger says of an order as a whole, and which orders and holds do not add up: kept beside the ledger, so that reconciliation looks
-- at those only, however long the history is.

-- noqa: disable=AL03,AL08,RF01,RF03
create function wallet.order_balance_as_of(moment timestamptz, organization uuid, named_order text) returns table (
    state text,
    state_at timestamptz,
    expected numeric,
    held numeric,
    open_amount numeric,
    charged numeric,
    consumed numeric,
    refunded numeric,
    unpaid numeric,
    not_given_back numeric,
    refunded_too_much numeric,
    customer_id uuid,
    wallet_id uuid,
    hold_ids uuid[],
    charge_ids uuid[],
    refund_ids uuid[],
    sources text[],
    moved_at timestamptz
)
language sql
stable
begin atomic  -- bound when it is made, and planned with the query that asks: a call for each order costs ten times as much
    with direct as (
        select operation.*
        from wallet.operation as operation
        where
            operation.organization_id = organization
            and operation.order_id = named_order
            and operation.kind in ('chargeoff', 'topup')
            and operation.source <> 'transactions'
        union all
        select operation.*
        from (
            select hold.hold_id as name
            from wallet.hold as hold
            where hold.organization_id = organization and hold.order_id = named_order
            union
            select hold.transaction_id
            from wallet.hold as hold
            where hold.organization_id = organization and hold.order_id = named_order and hold.transaction_id is not null
        ) as called
        inner join wallet.operation as operation on called.name = operation.hold_id
        where
            operation.kind in ('chargeoff', 'topup')
            and (operation.order_id is null or operation.source = 'transactions')
    ),

    movement as (
        select
            own.*,
            latest.state,
            latest.occurred_at,
            -- A consumption counts once, however many report it.
            case
                when latest.state <> 'confirmed' then 0
                when own.what <> 'consumption' then 1
                else row_number() over (
                    partition by own.what, own.consumed_hold_id, latest.state
                    order by own.amount desc, own.operation_id
                )
            end as place
        from (
            select
                named.operation_id,
                named.customer_id,
                named.wallet_id,
                named.amount,
                named.source,
                case when named.kind = 'topup' then 'refund' when named.consumes_hold then 'consumption' else 'charge' end as what,
                case
                    when named.consumes_hold
                        then
                            coalesce(
                                (
                                    select hold.hold_id
                                    from wallet.hold as hold
                                    where hold.transaction_id = named.hold_id
                                    order by hold.opened_at, hold.hold_id
                                    limit 1
                                ),
                                named.hold_id
                            )
                end as consumed_hold_id
            from (
                select direct.*
                from direct
                union all
                -- What gives a charge of the order back to the one who paid it.
                select refund.*
                from direct
                inner join wallet.operation as refund
                    on direct.operation_id = refund.refund_of and direct.customer_id = refund.customer_id
                where direct.kind = 'chargeoff' and refund.order_id is null and refund.hold_id is null
            ) as named
        ) as own
        inner join lateral (
            select event.state, event.occurred_at
            from wallet.operation_event as event
            where event.operation_id = own.operation_id and event.occurred_at <= moment
            order by event.sequence desc
            limit 1
        ) as latest on latest.state in ('sent', 'unknown', 'confirmed')
    )

    select
        known.state,
        known.state_at,
        due.amount,
        held.held,
        held.open_amount,
        moved.charged,
        moved.consumed,
        moved.refunded,
        case
            when known.state = 'completed' and due.amount is not null
                then greatest(
                    least(due.amount, held.possibly_held + run.amount)
                    - cover.amount - moved.charged - moved.consumed - moved.possibly_charged,
                    0
                )
            when
                known.state = 'completed'
                and moved.charged + moved.consumed + moved.possibly_charged + held.possibly_open = 0
                then coalesce(least(held.least_held, run.least_amount), 0)
            else 0
        end,
        case
            when known.state in ('cancelled', 'failed') and not moved.refund_is_unknown
                then greatest(moved.charged + moved.consumed - moved.refunded, 0)
            else 0
        end,
        case
            when moved.possibly_charged = 0 and (known.state in ('cancelled', 'failed') or moved.charged + moved.consumed > 0)
                then greatest(moved.refunded - moved.charged - moved.consumed, 0)
            else 0
        end,
        coalesce(held.customer_id, moved.customer_id, run.customer_id),
        coalesce(held.wallet_id, moved.wallet_id, run.wallet_id),
        held.hold_ids,
        moved.charge_ids,
        moved.refund_ids,
        moved.sources,
        greatest(known.state_at, held.ended_at, moved.moved_at)
    from (
        select
            coalesce(sum(hold.amount) filter (where one.was_made), 0) as held,
            min(hold.amount) filter (where one.was_made) as least_held,
            coalesce(sum(hold.amount) filter (where one.was_made and one.may_be_open), 0) as open_amount,
            coalesce(sum(hold.amount) filter (where one.was_made or one.may_be_open), 0) as possibly_held,
            coalesce(sum(hold.amount) filter (where one.may_be_open), 0) as possibly_open,
            max(hold.closed_at) filter (where not one.may_be_open) as ended_at,
            (array_agg(hold.customer_id order by hold.opened_at, hold.hold_id))[1] as customer_id,
            (array_agg(hold.wallet_id order by hold.opened_at, hold.hold_id))[1] as wallet_id,
            coalesce(array_agg(hold.hold_id order by hold.opened_at, hold.hold_id), '{}') as hold_ids
        from wallet.hold as hold
        cross join
            lateral (
                select
                    hold.closed_at is null or hold.closed_at > moment as may_be_open,
                    coalesce(hold.confirmed_at <= moment, false)
                    or coalesce(hold.closed_by <> 'rejected' and hold.closed_at <= moment, false) as was_made
            ) as one
        where
            hold.organization_id = organization
            and hold.order_id = named_order
            and hold.opened_at <= moment
            and (hold.closed_by is distinct from 'rejected' or hold.closed_at > moment)
    ) as held
    cross join
        lateral (
            select
                coalesce(sum(movement.amount) filter (where movement.place = 1 and movement.what = 'charge'), 0) as charged,
                coalesce(sum(movement.amount) filter (where movement.place = 1 and movement.what = 'consumption'), 0) as consumed,
                coalesce(sum(movement.amount) filter (where movement.place = 1 and movement.what = 'refund'), 0) as refunded,
                coalesce(sum(movement.amount) filter (where movement.state <> 'confirmed' and movement.what <> 'refund'), 0) as possibly_charged,
                coalesce(bool_or(movement.state <> 'confirmed' and movement.what = 'refund'), false) as refund_is_unknown,
                -- An unknown outcome of a call moves nothing: it would silence for a while what is found already.
                max(movement.occurred_at) filter (where movement.state = 'confirmed') as moved_at,
                (array_agg(movement.customer_id order by movement.occurred_at, movement.operation_id))[1] as customer_id,
                (array_agg(movement.wallet_id order by movement.occurred_at, movement.operation_id))[1] as wallet_id,
                coalesce(
                    array_agg(movement.operation_id order by movement.occurred_at, movement.operation_id)
                    filter (where movement.state = 'confirmed' and movement.what <> 'refund'),
                    '{}'
                ) as charge_ids,
                coalesce(
                    array_agg(movement.operation_id order by movement.occurred_at, movement.operation_id)
                    filter (where movement.state = 'confirmed' and movement.what = 'refund'),
                    '{}'
                ) as refund_ids,
                array_agg(distinct movement.source) filter (where movement.state = 'confirmed') as sources
            from movement
        ) as moved
    -- What is set aside pays no more than what was not taken of the same wallet yet: a hold that was charged and is still open does not pay for another
    -- guest of a split bill.
    cross join
        lateral (
            select coalesce(sum(least(wallet.possibly_open, greatest(wallet.possibly_held - coalesce(taken.amount, 0), 0))), 0) as amount
            from (
                select
                    hold.customer_id,
                    hold.wallet_id,
                    sum(hold.amount) as possibly_held,
                    sum(hold.amount) filter (where hold.closed_at is null or hold.closed_at > moment) as possibly_open
                from wallet.hold as hold
                where
                    hold.organization_id = organization
                    and hold.order_id = named_order
                    and hold.opened_at <= moment
                    and (hold.closed_by is distinct from 'rejected' or hold.closed_at > moment)
                group by hold.customer_id, hold.wallet_id
            ) as wallet
            cross join
                lateral (
                    select sum(movement.amount) as amount
                    from movement
                    where
                        movement.customer_id = wallet.customer_id
                        and movement.wallet_id = wallet.wallet_id
                        and movement.what <> 'refund'
                        and (movement.place = 1 or movement.state <> 'confirmed')
                ) as taken
            where wallet.possibly_open is not null
        ) as cover
    -- Payments whose order ran though nothing was set aside for them.
    cross join
        lateral (
            select
                coalesce(sum(payment.amount), 0) as amount,
                min(payment.amount) as least_amount,
                (array_agg(payment.customer_id order by payment.begun_at, payment.payment_id))[1] as customer_id,
                (array_agg(payment.wallet_id order by payment.begun_at, payment.payment_id))[1] as wallet_id
            from wallet.payment as payment
            inner join wallet.payment_event as reported
                on payment.payment_id = reported.payment_id and reported.state = 'order_completed' and reported.occurred_at <= moment
            where
                payment.organization_id = organization
                and payment.order_id = named_order
                and not exists (
                    select
                    from wallet.operation as step
                    inner join wallet.hold as hold on step.operation_id = hold.hold_id
                    where
                        step.payment_id = payment.payment_id
                        and hold.opened_at <= moment
                        and (hold.closed_by is distinct from 'rejected' or hold.closed_at > moment)
                )
        ) as run
    left join lateral (
        select version.state, version.state_at, version.amount, coalesce(version.source = 'payment', false) as is_ours
        from wallet.payment_order_version as version
        where
            version.organization_id = organization
            and version.order_id = named_order
            and version.state_at <= moment
        order by version.state_at desc, version.state = 'open', version.state
        limit 1
    ) as known on true
    -- A payment of ours that reports its order does not know what the order comes to: others said it, or it is what all its payments come to that
    -- still count. One whose hold was cancelled before its order was reported does not: released_payment_unreported says so.
    cross join lateral (
        select
            case
                when coalesce(not known.is_ours, true) then known.amount
                else coalesce(
                    (
                        select version.amount
                        from wallet.payment_order_version as version
                        where
                            version.organization_id = organization
                            and version.order_id = named_order
                            and version.state_at <= moment
                            and version.source is distinct from 'payment'
                            and version.amount is not null
                        order by version.state_at desc, version.state = 'open', version.state
                        limit 1
                    ),
                    (
                        select sum(payment.amount)
                        from wallet.payment as payment
                        left join wallet.payment_event as reported
                            on payment.payment_id = reported.payment_id and reported.sequence = 2 and reported.occurred_at <= moment
                        where
                            payment.organization_id = organization
                            and payment.order_id = named_order
                            and payment.begun_at <= moment
                            and coalesce(reported.state <> 'order_failed', true)
                            and (
                                reported.state is not null
                                or not exists (
                                    select
                                    from wallet.operation as step
                                    inner join wallet.hold as hold on step.operation_id = hold.hold_id
                                    where step.payment_id = payment.payment_id and hold.closed_by = 'cancelled' and hold.closed_at <= moment
                                )
                            )
                    ),
                    known.amount
                )
            end as amount
    ) as due;
end;
-- noqa: enable=AL03,AL08,RF01,RF03
comment on function wallet.order_balance_as_of(timestamptz, uuid, text) is
'What the ledger says of an order as of a moment: what was set aside, taken and given back for it, and by whom. Movements are an order''s if they '
'name it, or a hold of it and no order, or if they give back a charge of it and name neither. The transactions report counts only where it names a hold: its orders have ids of the till''s.';

create view wallet.order_balance as
select
    known.organization_id,
    known.order_id,
    balance.state,
    balance.state_at,
    balance.expected,
    balance.held,
    balance.open_amount,
    balance.charged,
    balance.consumed,
    balance.refunded,
    balance.unpaid,
    balance.not_given_back,
    balance.refunded_too_much,
    balance.sources
from (
    select payment_order.organization_id, payment_order.order_id
    from wallet.payment_order as payment_order
    union
    select operation.organization_id, operation.order_id
    from wallet.operation as operation
    where
        operation.order_id is not null
        and operation.source <> 'transactions'
        -- An end that does not agree with its hold ends and takes nothing: its order is named by nothing, in any order of arrival.
        and not exists (
            select
            from wallet.contested_ending as contested
            where contested.source = operation.source and contested.idempotency_key = operation.idempotency_key
        )
) as known
cross join lateral wallet.order_balance_as_of('infinity', known.organization_id, known.order_id) as balance;
comment on view wallet.order_balance is
'What was set aside, taken and given back for each order, all wallets together. Ask for one order or a few: each is added up from the ledger.';
comment on column wallet.order_balance.organization_id is 'Organization that the order belongs to.';
comment on column wallet.order_balance.order_id is 'The order''s id as its order service or till gives it.';
comment on column wallet.order_balance.state is 'Latest state that was reported: open, completed, cancelled or failed; null: none was.';
comment on column wallet.order_balance.state_at is 'Since when the order is in that state.';
comment on column wallet.order_balance.expected is
'The order''s amount as reported with that state; where one of our payments reported it: what others said last, else what its payments come to that did '
'not fail and whose hold was not cancelled before they reported. Null: not known.';
comment on column wallet.order_balance.held is 'Sum of all holds that were made for the order, ended ones included.';
comment on column wallet.order_balance.open_amount is 'Sum of its holds that still set money aside, as far as the ledger knows.';
comment on column wallet.order_balance.charged is 'Sum of its confirmed charges that took no held money.';
comment on column wallet.order_balance.consumed is 'Sum of its holds that a till consumed; each counts once, however many reported it.';
comment on column wallet.order_balance.refunded is 'Sum of its confirmed top-ups.';
comment on column wallet.order_balance.unpaid is
'By how much a completed order is certainly unpaid: what charged, consumed, holds that may be open and charges without an outcome together lack of the '
'lesser of expected and held; a payment of ours whose order ran counts as held even if Syrve refused its hold. If expected is not known: the '
'smallest hold, if there is none of all these. Else 0.';
comment on column wallet.order_balance.not_given_back is
'If the order failed or was cancelled and no refund is without an outcome: by how much charged and consumed exceed refunded. Else 0.';
comment on column wallet.order_balance.refunded_too_much is
'By how much refunded exceeds charged and consumed; 0 for an order that did not fail and of which nothing was charged: its top-ups are bonuses.';
comment on column wallet.order_balance.sources is 'Who reported or made its confirmed movements, as source of an operation: payment, topup:CAMPAIGN, import:SOURCE or transactions; null: there are none.';

create table wallet.touched (
    organization_id uuid not null,
    order_id text,
    hold_id uuid
);
create index touched_organization on wallet.touched (organization_id);
comment on table wallet.touched is
'Orders and holds of which something became known since the last reconciliation, written by triggers and emptied by wallet.follow_orders(). '
'A queue rather than a look at recorded_at: a row is seen once its transaction has committed, however late that is.';
comment on column wallet.touched.organization_id is 'Organization whose order or hold it is.';
comment on column wallet.touched.order_id is 'Order that an operation names or whose state was reported; null: none.';
comment on column wallet.touched.hold_id is 'Hold that an operation is, ends or settles, by either of its ids; null: none.';

create table wallet.order_in_doubt (
    organization_id uuid not null,
    order_id text not null,
    doubtful_from timestamptz not null,
    doubtful_until timestamptz check (doubtful_until > doubtful_from),
    primary key (organization_id, order_id)
);
create index order_in_doubt_at on wallet.order_in_doubt using gist (tstzrange(doubtful_from, doubtful_until));
comment on table wallet.order_in_doubt is
'Orders that at some moment did not add up (unpaid, not_given_back or refunded_too_much of wallet.order_balance_as_of), and when: what the rules '
'about orders look at. Made from the ledger by wallet.follow_orders(), never written by hand.';
comment on column wallet.order_in_doubt.organization_id is 'Organization that the order belongs to.';
comment on column wallet.order_in_doubt.order_id is 'The order''s id.';
comment on column wallet.order_in_doubt.doubtful_from is 'First moment at which it did not add up.';
comment on column wallet.order_in_doubt.doubtful_until is 'From when on it adds up; null: it still does not. It may have added up for a while in between.';

create table wallet.hold_ended_again (
    hold_id uuid primary key,
    organization_id uuid not null,
    ended_again_at timestamptz not null,
    ended_again_until timestamptz check (ended_again_until > ended_again_at)
);
create index hold_ended_again_organization on wallet.hold_ended_again (organization_id, ended_again_at);
comment on table wallet.hold_ended_again is
'Holds of which more than one end that agrees with them was reported and not corrected; whether these contradict each other is for the rule hold_ended_twice to say. Made from the ledger '
'by wallet.follow_orders(), never written by hand.';
comment on column wallet.hold_ended_again.hold_id is 'The hold, as in wallet.hold.';
comment on column wallet.hold_ended_again.organization_id is 'Organization that the hold belongs to.';
comment on column wallet.hold_ended_again.ended_again_at is 'When the second of its ends happened.';
comment on column wallet.hold_ended_again.ended_again_until is 'From when on all but one are corrected; null: they are not.';

-- As the owner, because what is queued for follow_orders is what the ledger says: no role may write the queue beside it, or take from it.
create function wallet.touch_by_event() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
begin
    insert into wallet.touched (organization_id, order_id, hold_id)
    select distinct
        moved.organization_id,
        case when moved.source <> 'transactions' then moved.order_id end,
        case when moved.kind = 'hold' then moved.operation_id else moved.hold_id end
    from added as event
    inner join wallet.operation as operation on event.operation_id = operation.operation_id
    -- A refund that names no more than a charge concerns what the charge does.
    inner join wallet.operation as moved
        on
            moved.operation_id = case
                when operation.order_id is null and operation.hold_id is null then coalesce(operation.refund_of, operation.operation_id)
                else operation.operation_id
            end
    where event.state <> 'planned' and (moved.kind = 'hold' or moved.hold_id is not null or moved.order_id is not null);
    return null;
end
$$;
comment on function wallet.touch_by_event() is 'Queues the orders and holds that new events concern.';

create trigger d_touched after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.touch_by_event();

-- A hold that turns out to be another name of one we made leaves its row; its order has lost it.
create function wallet.touch_by_hold() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.touched (organization_id, order_id, hold_id)
    select gone.organization_id, gone.order_id, gone.hold_id
    from gone;
    return null;
end
$$;
comment on function wallet.touch_by_hold() is 'Queues the orders and holds whose row went to another name of the same hold.';

create trigger touched after delete on wallet.hold
referencing old table as gone
for each statement execute function wallet.touch_by_hold();

-- As the owner, likewise.
create function wallet.touch_by_order() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.touched (organization_id, order_id)
    select distinct version.organization_id, version.order_id
    from added as version;
    return null;
end
$$;
comment on function wallet.touch_by_order() is 'Queues the orders whose states were reported.';

create trigger touched after insert on wallet.payment_order_version
referencing new table as added
for each statement execute function wallet.touch_by_order();

-- As the owner, likewise.
create function wallet.touch_by_payment() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.touched (organization_id, order_id)
    select distinct payment.organization_id, payment.order_id
    from added as reported
    inner join wallet.payment as payment on reported.payment_id = payment.payment_id;
    return null;
end
$$;
comment on function wallet.touch_by_payment() is 'Queues the orders of payments that were begun or whose order was reported.';

create trigger touched after insert on wallet.payment_event
referencing new table as added
for each statement execute function wallet.touch_by_payment();

-- As the owner, because it alone writes what follows from the ledger about orders and holds, which the DAGs may read only.
create function wallet.follow_orders(organization uuid) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
    followed bigint;
begin
    with touched as materialized (
        delete from wallet.touched as one
        where one.organization_id = organization
        returning one.order_id, one.hold_id
    ),

    held as materialized (
        select distinct hold.hold_id, hold.transaction_id, hold.order_id
        from (select distinct touched.hold_id from touched where touched.hold_id is not null) as named
        cross join lateral (
            select one.hold_id, one.transaction_id, one.order_id
            from wallet.hold as one
            where one.hold_id = named.hold_id and one.organization_id = organization
            union
            select one.hold_id, one.transaction_id, one.order_id
            from wallet.hold as one
            where one.transaction_id = named.hold_id and one.organization_id = organization
        ) as hold
    ),

    -- By the hold, and not by a look through all ends for each: a till and the report may both report every end.
    ended as materialized (
        select
            ends.hold_id,
            min(judged.moment) as again_from,
            case when not bool_or(judged.next_moment is null) then max(judged.next_moment) end as again_until
        from (
            select held.hold_id, array_agg(ending.operation_id) filter (where wallet.ending_agrees(ending, made)) as ending_ids
            from held
            inner join wallet.operation as made on held.hold_id = made.operation_id
            left join wallet.operation as ending
                on ending.hold_id in (held.hold_id, held.transaction_id) and (ending.kind = 'cancel_hold' or ending.consumes_hold)
            group by held.hold_id
        ) as ends
        left join lateral (
            select
                moments.moment,
                lead(moments.moment) over (order by moments.moment) as next_moment,
                (
                    select count(*)
                    from unnest(ends.ending_ids) as ending (operation_id)
                    where (
                        select event.state
                        from wallet.operation_event as event
                        where event.operation_id = ending.operation_id and event.occurred_at <= moments.moment
                        order by event.sequence desc
                        limit 1
                    ) = 'confirmed'
                ) as count_then
            from (
                select distinct event.occurred_at as moment
                from unnest(ends.ending_ids) as ending (operation_id)
                inner join wallet.operation_event as event on ending.operation_id = event.operation_id
                where event.state <> 'planned' and cardinality(ends.ending_ids) > 1
            ) as moments
        ) as judged on judged.count_then > 1
        group by ends.hold_id
    ),

    ended_once as (
        delete from wallet.hold_ended_again as known
        using (
            select ended.hold_id
            from ended
            where ended.again_from is null
            union
            select touched.hold_id
            from touched
            where not exists (select from wallet.hold as one where one.hold_id = touched.hold_id)
        ) as named
        where known.hold_id = named.hold_id
    ),

    ended_again as (
        insert into wallet.hold_ended_again as known (hold_id, organization_id, ended_again_at, ended_again_until)
        select ended.hold_id, organization, ended.again_from, ended.again_until
        from ended
        where ended.again_from is not null
        on conflict (hold_id) do update
        set ended_again_at = excluded.ended_again_at, ended_again_until = excluded.ended_again_until
        where (known.ended_again_at, known.ended_again_until) is distinct from (excluded.ended_again_at, excluded.ended_again_until)
    ),

    judged as materialized (
        select concerned.order_id, doubt.doubtful_from, doubt.doubtful_until
        from (
            select touched.order_id
            from touched
            where touched.order_id is not null
            union
            select held.order_id
            from held
            where held.order_id is not null
        ) as concerned
        cross join lateral wallet.order_doubt(organization, concerned.order_id) as doubt
    ),

    settled as (
        delete from wallet.order_in_doubt as known
        using judged
        where known.organization_id = organization and known.order_id = judged.order_id and judged.doubtful_from is null
    ),

    doubted as (
        insert into wallet.order_in_doubt as known (organization_id, order_id, doubtful_from, doubtful_until)
        select organization, judged.order_id, judged.doubtful_from, judged.doubtful_until
        from judged
        where judged.doubtful_from is not null
        on conflict (organization_id, order_id) do update
        set doubtful_from = excluded.doubtful_from, doubtful_until = excluded.doubtful_until
        where (known.doubtful_from, known.doubtful_until) is distinct from (excluded.doubtful_from, excluded.doubtful_until)
    )

    select count(*) into followed from judged;
    return followed;
end
$$;
comment on function wallet.follow_orders(uuid) is
'Brings wallet.order_in_doubt and wallet.hold_ended_again of an organization up to date with its ledger, and empties its part of wallet.touched; '
'returns how many orders were looked at. Reconciliation calls it in the snapshot in which it evaluates the rules.';

-- noqa: disable=AL03,AL08,RF01,RF03
create function wallet.order_doubt(organization uuid, named_order text) returns table (
    doubtful_from timestamptz,
    doubtful_until timestamptz
)
language sql
stable
begin atomic  -- bound when it is made, and planned with the query that asks: a call for each order costs ten times as much
    -- All that the balance rests on changes at these moments only.
    with moments as (
        select version.state_at as moment
        from wallet.payment_order_version as version
        where version.organization_id = organization and version.order_id = named_order
        union
        select event.occurred_at
        from wallet.operation as operation
        inner join wallet.operation_event as event on operation.operation_id = event.operation_id
        where
            operation.organization_id = organization
            and operation.order_id = named_order
            and event.state <> 'planned'
        union
        select event.occurred_at
        from wallet.hold as hold
        inner join wallet.operation as operation on operation.hold_id in (hold.hold_id, hold.transaction_id)
        inner join wallet.operation_event as event on operation.operation_id = event.operation_id
        where hold.organization_id = organization and hold.order_id = named_order and event.state <> 'planned'
        union
        select event.occurred_at
        from wallet.operation as charge
        inner join wallet.operation as refund on charge.operation_id = refund.refund_of
        inner join wallet.operation_event as event on refund.operation_id = event.operation_id
        where charge.organization_id = organization and charge.order_id = named_order and event.state <> 'planned'
        union
        select event.occurred_at
        from wallet.hold as hold
        inner join wallet.operation as charge on charge.hold_id in (hold.hold_id, hold.transaction_id)
        inner join wallet.operation as refund on charge.operation_id = refund.refund_of
        inner join wallet.operation_event as event on refund.operation_id = event.operation_id
        where hold.organization_id = organization and hold.order_id = named_order and event.state <> 'planned'
        union
        select hold.closed_at
        from wallet.hold as hold
        where hold.organization_id = organization and hold.order_id = named_order and hold.closed_at is not null
        union
        select reported.occurred_at
        from wallet.payment as payment
        inner join wallet.payment_event as reported on payment.payment_id = reported.payment_id
        where payment.organization_id = organization and payment.order_id = named_order
    ),

    judged as (
        select
            moments.moment,
            balance.unpaid > 0 or balance.not_given_back > 0 or balance.refunded_too_much > 0 as is_doubtful,
            lead(moments.moment) over (order by moments.moment) as next_moment
        from moments
        cross join lateral wallet.order_balance_as_of(moments.moment, organization, named_order) as balance
    )

    select
        min(judged.moment),
        case when bool_or(judged.next_moment is null) then null else max(judged.next_moment) end
    from judged
    where judged.is_doubtful;
end;
-- noqa: enable=AL03,AL08,RF01,RF03
comment on function wallet.order_doubt(uuid, text) is
'From when until when an order does not add up: nulls if it always does, a null end if it still does not.';
