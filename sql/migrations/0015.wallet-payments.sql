-- depends: 0014.analytics
-- Payments as they stand, the guards of the ledger, and outcomes that later evidence reopens.

create function wallet.clock_skew() returns interval
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$ select interval '10 minutes' $$;
comment on function wallet.clock_skew() is 'How far the clocks of tills and of Syrve may be from ours; what is reported from later than that is refused.';

-- What an operation may not be sent for: the last look before the money call, under the lock of its hold. Returns null if it may be sent.
create function wallet.refusal_to_send(wanted uuid) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    operation record;
    held record;
    reported text;
    hold_ids uuid[];
begin
    select one.* into operation from wallet.operation as one where one.operation_id = wanted;
    if operation.hold_id is not null then
        select array_agg(known.hold_id order by known.hold_id = operation.hold_id desc) into hold_ids
        from wallet.hold as known
        where known.hold_id = operation.hold_id or known.transaction_id = operation.hold_id;
        perform wallet.lock_holds(coalesce(hold_ids, array[operation.hold_id]));
    end if;

    if operation.payment_id is not null then
        select event.state into reported
        from wallet.payment_event as event
        where event.payment_id = operation.payment_id
        order by event.sequence desc
        limit 1;
        if operation.kind = 'hold' and reported <> 'begun' then
            return 'payment_has_ended';
        end if;
        if operation.kind = 'chargeoff' then
            if reported <> 'order_completed' then
                return 'order_is_not_completed';
            end if;
            if exists (
                select
                from wallet.operation as other
                cross join lateral (
                    select event.state, event.basis
                    from wallet.operation_event as event
                    where event.operation_id = other.operation_id
                    order by event.sequence desc
                    limit 1
                ) as latest
                where
                    other.payment_id = operation.payment_id
                    and other.kind = 'chargeoff'
                    and other.operation_id <> operation.operation_id
                    and latest.state <> 'planned'
                    and (latest.state <> 'rejected' or latest.basis = 'balance')
            ) then
                return 'payment_may_be_charged';
            end if;
        end if;
    end if;

    if operation.hold_id is null or operation.kind not in ('cancel_hold', 'chargeoff') then
        return null;
    end if;
    if exists (
        select
        from wallet.unsettled_operation as other
        where
            other.kind = 'cancel_hold'
            and other.hold_id = any(array_append(hold_ids, operation.hold_id) || array(
                select known.transaction_id from wallet.hold as known where known.hold_id = any(hold_ids) and known.transaction_id is not null
            ))
            and other.operation_id <> operation.operation_id
            and other.state in ('sent', 'unknown')
    ) then
        return 'cancel_is_unknown';
    end if;
    select known.* into held from wallet.hold as known where known.hold_id = hold_ids[1];
    if operation.kind = 'cancel_hold' and held.hold_id is not null and not (
        select wallet.ending_agrees(ended, made)
        from wallet.operation as ended
        cross join wallet.operation as made
        where ended.operation_id = wanted and made.operation_id = held.hold_id
    ) then
        return 'hold_is_not_of_this_money';
    end if;
    if held.closed_at is null then
        if exists (
            select
            from wallet.contested_ending as reported
            where
                reported.hold_id = held.hold_id
                and reported.kind = 'chargeoff'
                and reported.reported_organization_id = held.organization_id
                and reported.reported_customer_id = held.customer_id
                and reported.reported_wallet_id = held.wallet_id
        ) then
            return 'hold_end_is_contested';
        end if;
        return null;
    end if;
    if operation.kind = 'cancel_hold' then
        return 'hold_is_' || held.closed_by;
    end if;
    if held.closed_by = 'consumed' or operation.payment_id is null then
        return 'hold_is_' || held.closed_by;
    end if;
    if held.closed_basis = 'balance' then
        return 'hold_end_is_by_balance';
    end if;
    return null;
end
$$;
comment on function wallet.refusal_to_send(uuid) is
'Why a planned operation must not be sent, null if it may: its payment has ended or may be charged already, its hold is closed, or another '
'cancellation of the hold is unknown. Keeps the hold locked until the transaction ends.';

create function wallet.refuse_to_send() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    wanted uuid;
    reason text;
begin
    for wanted in select event.operation_id from added as event where event.state = 'sent' and event.sequence > 1 loop
        reason := wallet.refusal_to_send(wanted);
        if reason is not null then
            raise check_violation using
                message = format('an operation can''t be sent: %s', reason),
                hint = 'wallet.refusal_to_send says why',
                schema = tg_table_schema, table = tg_table_name, constraint = 'operation_event_may_be_sent';
        end if;
    end loop;
    return null;
end
$$;
comment on function wallet.refuse_to_send() is 'Keeps operations from being sent that refusal_to_send refuses, for every writer.';

create trigger a_may_be_sent after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.refuse_to_send();

-- An outcome by balance holds only as long as nothing else is known to have moved the wallet in its window, clocks being apart.
create function wallet.reopen_by_balance() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
begin
    -- Its own insert fires it again, even one of no row.
    if not exists (select from added) or not exists (select from wallet.unsettled_operation as one where one.basis = 'balance') then
        return null;
    end if;
    insert into wallet.operation_event (operation_id, sequence, state, evidence)
    select distinct on (believed.operation_id)
        believed.operation_id,
        (select max(known.sequence) + 1 from wallet.operation_event as known where known.operation_id = believed.operation_id),
        'unknown',
        jsonb_build_object('reason', 'reopened', 'by', moved.operation_id)
    from added as event
    inner join wallet.operation as moved on event.operation_id = moved.operation_id
    left join lateral (
        select held.customer_id, held.wallet_id
        from wallet.hold as held
        where held.hold_id = moved.hold_id or held.transaction_id = moved.hold_id
        limit 1
    ) as ended on moved.wallet_id is null
    cross join lateral (
        select case begun.state when 'planned' then interval '0' else wallet.clock_skew() end as skew
        from wallet.operation_event as begun
        where begun.operation_id = moved.operation_id and begun.sequence = 1
    ) as clock
    inner join wallet.unsettled_operation as believed
        on
            believed.customer_id = coalesce(moved.customer_id, ended.customer_id)
            and believed.wallet_id = coalesce(moved.wallet_id, ended.wallet_id)
            and believed.basis = 'balance'
            and believed.operation_id <> moved.operation_id
            and event.occurred_at between believed.sent_at - clock.skew and believed.settled_at + clock.skew
    where
        event.state in ('sent', 'confirmed', 'unknown')
        and event.basis is distinct from 'balance'
        and event.evidence ->> 'reason' is distinct from 'reopened'
    on conflict (operation_id, sequence) do nothing;
    return null;
end
$$;
comment on function wallet.reopen_by_balance() is 'Makes outcomes by balance unknown again of whose time another movement of the wallet becomes known.';

create trigger d_reopen after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.reopen_by_balance();

create function wallet.reopen_by_report() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from added) or not exists (select from wallet.unsettled_operation as one where one.basis = 'balance') then
        return null;
    end if;
    insert into wallet.operation_event (operation_id, sequence, state, evidence)
    select distinct on (believed.operation_id)
        believed.operation_id,
        (select max(known.sequence) + 1 from wallet.operation_event as known where known.operation_id = believed.operation_id),
        'unknown',
        jsonb_build_object('reason', 'reopened', 'transactions', jsonb_build_array(reported.transaction_id))
    from added as reported
    inner join wallet.unsettled_operation as believed
        on
            believed.customer_id = reported.customer_id
            and believed.basis = 'balance'
            and (believed.wallet_id = reported.wallet_id or reported.wallet_id is null)
            and reported.created_at between believed.sent_at - wallet.clock_skew() and believed.settled_at + wallet.clock_skew()
    where
        reported.marked_operation_id is null
        or reported.marked_operation_id = believed.operation_id
        -- That the hold of a charge began was known when the charge was sent.
        or (reported.marked_operation_id = believed.hold_id and reported.marked_part = 'end')
    on conflict (operation_id, sequence) do nothing;
    return null;
end
$$;
comment on function wallet.reopen_by_report() is 'Makes outcomes by balance unknown again of whose time Syrve''s report shows another movement, or their own.';

create trigger reopen after insert on wallet.transaction
referencing new table as added
for each statement execute function wallet.reopen_by_report();

create view wallet.payment_state as
with derived as (
    select
        payment.*,
        reported.state as order_reported,
        reported.occurred_at as reported_at,
        hold.hold_id,
        hold.closed_by as hold_closed_by,
        hold.closed_basis as hold_closed_basis,
        (hold.hold_id is not null and hold.closed_at is null) as hold_is_open,
        hold.confirmed_at as held_at,
        case when hold.closed_by = 'consumed' then hold.closing_operation_id else charge.operation_id end as charge_id,
        case when hold.closed_by = 'consumed' then hold.closed_basis else charge.basis end as charge_basis,
        coalesce(steps.unsettled, 0) > 0 as is_unsettled,
        coalesce(steps.refused_charges, 0) > 0 as is_refused
    from wallet.payment as payment
    left join lateral (
        select event.state, event.occurred_at
        from wallet.payment_event as event
        where event.payment_id = payment.payment_id
        order by event.sequence desc
        limit 1
    ) as reported on true
    left join lateral (
        select known.*
        from wallet.operation as one
        inner join wallet.hold as known on one.operation_id = known.hold_id
        where one.payment_id = payment.payment_id and one.kind = 'hold'
        order by known.closed_by is not distinct from 'rejected', known.opened_at desc
        limit 1
    ) as hold on true
    left join lateral (
        select one.operation_id, one.basis
        from wallet.charge as one
        where one.payment_id = payment.payment_id
        order by one.charged_at
        limit 1
    ) as charge on true
    left join lateral (
        select
            count(*) filter (where step.state in ('sent', 'unknown')) as unsettled,
            count(*) filter (where step.kind = 'chargeoff' and step.state = 'rejected') as refused_charges
        from wallet.operation_state as step
        where step.payment_id = payment.payment_id
    ) as steps on true
)

select
    derived.payment_id,
    derived.organization_id,
    derived.payment_key,
    derived.order_id,
    derived.customer_id,
    derived.wallet_id,
    derived.amount,
    derived.policy,
    derived.begun_at,
    case
        when derived.charge_id is not null then 'paid'
        when derived.is_unsettled then 'unsettled'
        when derived.order_reported = 'order_failed' and derived.hold_is_open then 'giving_back'
        when derived.order_reported = 'order_failed' then 'given_back'
        when derived.order_reported = 'order_completed' and not derived.hold_is_open and derived.is_refused then 'unpaid'
        when derived.order_reported = 'order_completed' then 'due'
        when derived.hold_closed_by = 'rejected' then 'refused'
        when derived.hold_closed_by is not null then 'released'
        when derived.held_at is not null then 'held'
        else 'begun'
    end as state,
    derived.order_reported,
    derived.reported_at,
    derived.hold_id,
    derived.hold_is_open,
    derived.hold_closed_by,
    derived.hold_closed_basis,
    derived.charge_id,
    derived.charge_basis
from derived;
comment on view wallet.payment_state is
'Payments with their state, derived from their own operations: begun, held, refused, released (hold cancelled before the order was reported), '
'due (order completed, not charged yet), unpaid (the charge was refused), paid, giving_back, given_back, unsettled. Ask for some by id, key or order.';
comment on column wallet.payment_state.state is 'State; see the view.';
comment on column wallet.payment_state.order_reported is 'What the payment''s caller reported last: begun, order_completed or order_failed.';
comment on column wallet.payment_state.reported_at is 'When it was reported.';
comment on column wallet.payment_state.hold_id is 'Hold of the payment: operation_id; null if none was sent.';
comment on column wallet.payment_state.hold_is_open is 'Whether the hold sets money aside, or may.';
comment on column wallet.payment_state.hold_closed_by is 'What ended the hold: rejected, cancelled or consumed.';
comment on column wallet.payment_state.hold_closed_basis is 'Why that is believed.';
comment on column wallet.payment_state.charge_id is 'Operation that took the money: our charge, or the till''s consumption of the hold.';
comment on column wallet.payment_state.charge_basis is 'Why that is believed; one by balance authorizes no further call.';

create table wallet.released_payment (
    payment_id uuid not null references wallet.payment,
    hold_id uuid not null,
    organization_id uuid not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (payment_id, hold_id)
);
create index released_payment_organization on wallet.released_payment (organization_id);
comment on table wallet.released_payment is
'Payments whose hold was cancelled before their order was reported; made from the ledger by a trigger, never written by hand. A row stays when the '
'order is reported or the end of the hold corrected: what is true of it is for the rule released_payment_unreported to say.';
comment on column wallet.released_payment.payment_id is 'Payment concerned.';
comment on column wallet.released_payment.hold_id is 'Its hold that was cancelled: as in wallet.hold.';
comment on column wallet.released_payment.organization_id is 'Organization of the payment.';
comment on column wallet.released_payment.recorded_at is 'When it was noted.';

create function wallet.note_released_payment() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.released_payment (payment_id, hold_id, organization_id)
    select made.payment_id, new.hold_id, made.organization_id
    from wallet.operation as made
    where
        made.operation_id = new.hold_id
        and made.payment_id is not null
        and not exists (
            select
            from wallet.payment_event as reported
            where reported.payment_id = made.payment_id and reported.sequence = 2 and reported.occurred_at <= new.closed_at
        )
    on conflict do nothing;
    return null;
end
$$;
comment on function wallet.note_released_payment() is 'Notes that the hold of a payment ended before its order was reported.';

create trigger released_payment after insert or update on wallet.hold
for each row when (new.closed_by = 'cancelled' and not new.observed) execute function wallet.note_released_payment();

-- Columns of views say what they say in the tables.
do $$
declare
    described record;
begin
    for described in
        select
            viewed.relname as relation_name,
            attribute.attname as column_name,
            col_description(tabled.oid, source.attnum) as description
        from (values ('payment_state', 'payment')) as pair (view_name, table_name)
        inner join pg_class as viewed on viewed.relname = pair.view_name and viewed.relnamespace = 'wallet'::regnamespace
        inner join pg_class as tabled on tabled.relname = pair.table_name and tabled.relnamespace = 'wallet'::regnamespace
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        inner join pg_attribute as source on tabled.oid = source.attrelid and attribute.attname = source.attname
        where col_description(viewed.oid, attribute.attnum) is null
    loop
        execute format('comment on column wallet.%I.%I is %L', described.relation_name, described.column_name, described.description);
    end loop;
end
$$;
