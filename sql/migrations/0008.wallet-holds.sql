-- depends: 0007.wallet-ledger
-- Holds and operations without an outcome, kept beside the book by triggers, so that what is open can be found without reading history. A partial
-- index on the book can't do that: whether a hold is open depends on rows of other operations, and an index sees one row of one table.

create table wallet.hold (
    hold_id uuid primary key,
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    amount numeric not null,
    order_id text,
    source text not null,
    observed boolean not null,
    transaction_id uuid,
    state text not null check (state in ('sent', 'confirmed', 'unknown', 'rejected')),
    opened_at timestamptz not null,
    confirmed_at timestamptz,
    closed_at timestamptz check (closed_at >= opened_at),
    closed_by text check (closed_by in ('rejected', 'cancelled', 'consumed')),
    closed_basis text,
    closing_operation_id uuid,
    recorded_at timestamptz not null default clock_timestamp(),
    check ((closed_at is null) = (closed_by is null))
);
create index hold_open on wallet.hold (organization_id, customer_id, wallet_id) where closed_at is null;
create index hold_open_customer on wallet.hold (customer_id) where closed_at is null;
create index hold_open_at on wallet.hold using gist (tstzrange(opened_at, closed_at));
create index hold_order on wallet.hold (organization_id, order_id) where order_id is not null;
create index hold_transaction on wallet.hold (transaction_id) where transaction_id is not null;
create index hold_opened_at on wallet.hold (opened_at);
create index hold_wallet on wallet.hold (customer_id, wallet_id, opened_at);
comment on table wallet.hold is
'Every hold that was sent, from when it may have set money aside to when it certainly does not; made from the ledger by triggers, never written by '
'hand. Open ones are found by a partial index; those open at a moment by tstzrange(opened_at, closed_at) @> moment.';
comment on column wallet.hold.hold_id is 'operation_id of the hold.';
comment on column wallet.hold.organization_id is 'Organization whose wallet it is.';
comment on column wallet.hold.customer_id is 'Customer whose money it is.';
comment on column wallet.hold.wallet_id is 'Wallet of the customer.';
comment on column wallet.hold.amount is 'Money set aside, in the wallet''s currency.';
comment on column wallet.hold.order_id is 'Order that it was made for.';
comment on column wallet.hold.source is 'Who asked for it.';
comment on column wallet.hold.observed is 'Made by another program.';
comment on column wallet.hold.transaction_id is 'Syrve''s id of the hold: what cancels it; null while it is not known.';
comment on column wallet.hold.state is 'State of its last event: sent, confirmed, unknown or rejected.';
comment on column wallet.hold.opened_at is 'When it was sent: from then on money may be set aside.';
comment on column wallet.hold.confirmed_at is 'When it became certain that money was set aside; null while it is not.';
comment on column wallet.hold.closed_at is 'From then on it certainly sets nothing aside; null while it is open.';
comment on column wallet.hold.closed_by is 'What ended it: rejected, cancelled or consumed.';
comment on column wallet.hold.closed_basis is 'Why its end is believed: answer, report, balance or person; null while it is open.';
comment on column wallet.hold.closing_operation_id is 'Cancellation or charge that ended it.';
comment on column wallet.hold.recorded_at is 'When this row last changed: later than closed_at where the news arrived late.';

create view wallet.open_hold as
select
    hold_id,
    organization_id,
    customer_id,
    wallet_id,
    amount,
    order_id,
    source,
    observed,
    transaction_id,
    state,
    opened_at,
    confirmed_at,
    recorded_at
from wallet.hold
where closed_at is null;
comment on view wallet.open_hold is 'Holds that set money aside now, or may: confirmed, sent or unknown, and neither cancelled nor consumed.';

create table wallet.unsettled_operation (
    operation_id uuid primary key,
    kind text not null,
    organization_id uuid not null,
    customer_id uuid,
    wallet_id uuid,
    amount numeric,
    order_id text,
    hold_id uuid,
    source text not null,
    state text not null check (state in ('planned', 'sent', 'unknown', 'confirmed', 'rejected')),
    planned_at timestamptz,
    sent_at timestamptz,
    settled_at timestamptz,
    basis text,
    check ((settled_at is null) = (state in ('planned', 'sent', 'unknown')))
);
create index unsettled_operation_now on wallet.unsettled_operation (kind, sent_at) where settled_at is null;
create index unsettled_operation_source on wallet.unsettled_operation (source) where settled_at is null;
-- Settled rows are asked for too, where the moment is past. A till's clock may say that the outcome came before the call.
create index unsettled_operation_at on wallet.unsettled_operation
using gist (tstzrange(sent_at, case when settled_at < sent_at then sent_at else settled_at end)) where sent_at is not null;
create index unsettled_operation_by_balance on wallet.unsettled_operation (customer_id, wallet_id) where basis = 'balance';
-- Planned and not sent yet, at any moment.
create index unsettled_operation_planned_at on wallet.unsettled_operation using gist (
    tstzrange(
        planned_at,
        case when sent_at is not null or settled_at is not null then greatest(planned_at, least(sent_at, settled_at)) end
    )
) where planned_at is not null;
comment on table wallet.unsettled_operation is
'Operations without an outcome; made from the ledger by triggers. One that stayed open for more than a minute keeps its row once it is settled, '
'so that what was open at a moment can be told: sent_at <= moment, and settled_at null or later.';
comment on column wallet.unsettled_operation.operation_id is 'Operation concerned.';
comment on column wallet.unsettled_operation.kind is 'As in operation.';
comment on column wallet.unsettled_operation.organization_id is 'As in operation.';
comment on column wallet.unsettled_operation.customer_id is 'As in operation.';
comment on column wallet.unsettled_operation.wallet_id is 'As in operation.';
comment on column wallet.unsettled_operation.amount is 'As in operation.';
comment on column wallet.unsettled_operation.order_id is 'As in operation.';
comment on column wallet.unsettled_operation.hold_id is 'As in operation.';
comment on column wallet.unsettled_operation.source is 'As in operation.';
comment on column wallet.unsettled_operation.state is 'State of the last event.';
comment on column wallet.unsettled_operation.planned_at is 'When it was planned; null for what others did.';
comment on column wallet.unsettled_operation.sent_at is 'When it was sent, or became unknown; null while it is only planned.';
comment on column wallet.unsettled_operation.settled_at is 'When its outcome became known; null while it is not.';
comment on column wallet.unsettled_operation.basis is
'Why the outcome is believed once it is known. Rows settled by balance are kept, because later evidence of the same time reopens them.';

-- A hold and its end may be written by two transactions at once, neither of which sees the other: the locks make the second wait, and it then sees
-- the first. Many at once take one lock for all, since each lock has a place in shared memory.
create function wallet.lock_holds(hold_ids uuid[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if cardinality(hold_ids) = 0 then
        return;
    end if;
    if cardinality(hold_ids) > 50 then
        perform pg_advisory_xact_lock(hashtextextended('wallet.hold', 0));
        return;
    end if;
    perform pg_advisory_xact_lock_shared(hashtextextended('wallet.hold', 0));
    perform pg_advisory_xact_lock(chosen.key)
    from (select distinct hashtextextended(one::text, 0) as key from unnest(hold_ids) as one order by 1) as chosen;
end
$$;
comment on function wallet.lock_holds(uuid[]) is 'Keeps two transactions from working out the same hold at once.';

-- An ending must be of the hold's own money.
create function wallet.ending_agrees(ended wallet.operation, held wallet.operation) returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        ended.organization_id = held.organization_id
        and (ended.customer_id = held.customer_id or ended.customer_id is null)
        and (ended.wallet_id = held.wallet_id or ended.wallet_id is null)
        and (ended.amount = held.amount or ended.amount is null)
$$;
comment on function wallet.ending_agrees(wallet.operation, wallet.operation) is
'Whether a cancellation or consumption agrees with its hold in organization, customer, wallet and amount, as far as it names them; else it ends '
'nothing and takes nothing, in any order of arrival: see wallet.contested_ending.';

-- Syrve's id makes two operations one hold only if they are of the same money.
create function wallet.same_hold(other wallet.operation, held wallet.operation) returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        other.kind = 'hold' and held.kind = 'hold'
        and (other.organization_id, other.customer_id, other.wallet_id, other.amount)
        = (held.organization_id, held.customer_id, held.wallet_id, held.amount)
$$;
comment on function wallet.same_hold(wallet.operation, wallet.operation) is
'Whether two operations that are known by one id at Syrve are one hold: of the same organization, customer, wallet and amount.';

create table wallet.contested_ending (
    contested_id bigint generated always as identity primary key,
    hold_id uuid not null,
    organization_id uuid not null,
    kind text not null check (kind in ('cancel_hold', 'chargeoff')),
    source text not null,
    idempotency_key text not null,
    reported_organization_id uuid not null,
    reported_customer_id uuid,
    reported_wallet_id uuid,
    reported_amount numeric,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (source, idempotency_key, hold_id)
);
create index contested_ending_hold on wallet.contested_ending (hold_id);
create index contested_ending_organization on wallet.contested_ending (organization_id, occurred_at);
comment on table wallet.contested_ending is
'Reported ends of holds that do not agree with the hold in organization, customer, wallet or amount: they end nothing, and are kept for a finding. '
'Append-only.';
comment on column wallet.contested_ending.contested_id is 'Id of the row.';
comment on column wallet.contested_ending.hold_id is 'Hold that the report names: operation_id of wallet.hold.';
comment on column wallet.contested_ending.organization_id is 'Organization of the hold.';
comment on column wallet.contested_ending.kind is 'cancel_hold, or chargeoff for a consumption.';
comment on column wallet.contested_ending.source is 'Who reported it.';
comment on column wallet.contested_ending.idempotency_key is 'Key of the report within its source.';
comment on column wallet.contested_ending.reported_organization_id is 'Organization as reported.';
comment on column wallet.contested_ending.reported_customer_id is 'Customer as reported.';
comment on column wallet.contested_ending.reported_wallet_id is 'Wallet as reported.';
comment on column wallet.contested_ending.reported_amount is 'Amount as reported.';
comment on column wallet.contested_ending.occurred_at is 'When it happened, as reported.';
comment on column wallet.contested_ending.recorded_at is 'When it was found not to agree.';

-- As the owner, because holds are what the book says: the DAGs write the book, and may not write holds beside it.
-- A hold that was told to be cancelled or consumed, and rejected after that, contradicts itself. It ended with the first of these: what was true before
-- the later word came stays true, whenever one asks.
create function wallet.follow_holds() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
    concerned uuid[];
begin
    -- Its own insert fires it again, even one of no row.
    if not exists (select from added) then
        return null;
    end if;
    select coalesce(array_agg(distinct one.hold_id), '{}') into concerned
    from (
        select case operation.kind when 'hold' then operation.operation_id else operation.hold_id end as hold_id
        from added as event
        inner join wallet.operation as operation on event.operation_id = operation.operation_id
        where operation.kind = 'hold'
            or ((operation.kind = 'cancel_hold' or operation.consumes_hold) and (event.state = 'confirmed' or event.sequence > 2))
        union
        select (event.evidence ->> 'transaction_id')::uuid
        from added as event
        inner join wallet.operation as operation on event.operation_id = operation.operation_id
        where operation.kind = 'hold' and event.evidence ? 'transaction_id'
        union
        select known.transaction_id
        from added as event
        inner join wallet.hold as known on event.operation_id = known.hold_id
    ) as named
    left join wallet.hold as known on named.hold_id = known.transaction_id
    cross join lateral (values (named.hold_id), (known.hold_id)) as one (hold_id)
    where one.hold_id is not null;
    perform wallet.lock_holds(concerned);
    -- What was written while this waited.
    concerned := array(
        select one.hold_id from unnest(concerned) as one (hold_id)
        union
        select known.hold_id from unnest(concerned) as one (hold_id) inner join wallet.hold as known on one.hold_id = known.transaction_id
    );

    insert into wallet.hold as known (
        hold_id, organization_id, customer_id, wallet_id, amount, order_id, source, observed, transaction_id, state, opened_at, confirmed_at,
        closed_at, closed_by, closed_basis, closing_operation_id
    )
    select
        operation.operation_id, operation.organization_id, operation.customer_id, operation.wallet_id, operation.amount,
        coalesce(operation.order_id, likewise.order_id), operation.source, told.is_observed, told.transaction_id, told.state, told.opened_at,
        case
            when told.confirmed_at > likewise.confirmed_at then greatest(told.opened_at, likewise.confirmed_at)
            else told.confirmed_at
        end,
        case
            when coalesce(ending.occurred_at, told.rejected_at) is not null
                then greatest(told.opened_at, ending.occurred_at, case when ending.occurred_at is null then told.rejected_at end)
        end,
        case
            when ending.kind = 'cancel_hold' then 'cancelled'
            when ending.kind is not null then 'consumed'
            when told.rejected_at is not null then 'rejected'
        end,
        case when ending.kind is not null then ending.basis else told.rejected_basis end,
        ending.operation_id
    from unnest(concerned) as one (hold_id)
    inner join wallet.operation as operation on one.hold_id = operation.operation_id and operation.kind = 'hold'
    cross join lateral (
        select
            max(latest.state) as state,
            (array_agg(event.state order by event.sequence))[1] <> 'planned' as is_observed,
            min(event.occurred_at) filter (where event.state in ('sent', 'confirmed', 'unknown')) as opened_at,
            max(latest.occurred_at) filter (where latest.state = 'confirmed') as confirmed_at,
            max(latest.occurred_at) filter (where latest.state = 'rejected') as rejected_at,
            max(latest.basis) filter (where latest.state = 'rejected') as rejected_basis,
            coalesce(
                ((array_agg(event.evidence ->> 'transaction_id' order by event.sequence desc)
                    filter (where event.evidence ? 'transaction_id'))[1])::uuid,
                case when (array_agg(event.state order by event.sequence))[1] <> 'planned' then operation.operation_id end
            ) as transaction_id
        from wallet.operation_event as event
        cross join lateral (
            select one.state, one.occurred_at, one.basis
            from wallet.operation_event as one
            where one.operation_id = operation.operation_id
            order by one.sequence desc
            limit 1
        ) as latest
        where event.operation_id = operation.operation_id
    ) as told
    left join lateral (
        select other.order_id, case when latest.state = 'confirmed' then latest.occurred_at end as confirmed_at
        from wallet.operation as other
        cross join lateral (
            select one.state, one.occurred_at
            from wallet.operation_event as one
            where one.operation_id = other.operation_id
            order by one.sequence desc
            limit 1
        ) as latest
        where
            other.operation_id = told.transaction_id
            and other.operation_id <> operation.operation_id
            and wallet.same_hold(other, operation)
    ) as likewise on true
    left join lateral (
        select ended.operation_id, ended.kind, event.occurred_at, event.basis
        from wallet.operation as ended
        cross join lateral (
            select one.state, one.occurred_at, one.basis
            from wallet.operation_event as one
            where one.operation_id = ended.operation_id
            order by one.sequence desc
            limit 1
        ) as event
        where
            ended.hold_id in (operation.operation_id, told.transaction_id)
            and (ended.kind = 'cancel_hold' or ended.consumes_hold)
            and event.state = 'confirmed'
            and wallet.ending_agrees(ended, operation)
        order by event.occurred_at, ended.operation_id
        limit 1
    ) as ending on ending.occurred_at < told.rejected_at or told.rejected_at is null
    where told.opened_at is not null
    on conflict (hold_id) do update set
        order_id = excluded.order_id,
        transaction_id = excluded.transaction_id,
        state = excluded.state,
        opened_at = excluded.opened_at,
        confirmed_at = excluded.confirmed_at,
        closed_at = excluded.closed_at,
        closed_by = excluded.closed_by,
        closed_basis = excluded.closed_basis,
        closing_operation_id = excluded.closing_operation_id,
        recorded_at = clock_timestamp()
    where
        (known.order_id, known.transaction_id, known.state, known.opened_at, known.confirmed_at, known.closed_at, known.closed_by,
            known.closed_basis, known.closing_operation_id)
        is distinct from (
            excluded.order_id, excluded.transaction_id, excluded.state, excluded.opened_at, excluded.confirmed_at, excluded.closed_at, excluded.closed_by,
            excluded.closed_basis, excluded.closing_operation_id
        );

    -- An end that was reported before its hold was: an import refuses it otherwise. So what it told is taken back as of when it was told; a person's
    -- word stays, and what we sent ourselves.
    with disagreeing as (
        select
            made.operation_id as hold_id, made.organization_id as held_by, ending.*,
            coalesce(ending.idempotency_key, ending.operation_id::text) as ending_key, latest.sequence, latest.state, latest.basis, begun.occurred_at,
            begun.state <> 'planned' as is_observed
        from unnest(concerned) as one (hold_id)
        inner join wallet.hold as known on one.hold_id = known.hold_id
        inner join wallet.operation as made on known.hold_id = made.operation_id
        inner join lateral (
            select
                ended.operation_id, ended.organization_id as told_by, ended.kind, ended.source, ended.idempotency_key, ended.customer_id,
                ended.wallet_id, ended.amount, ended.requested_at
            from wallet.operation as ended
            where
                ended.hold_id in (known.hold_id, known.transaction_id)
                and (ended.kind = 'cancel_hold' or ended.consumes_hold)
                and not wallet.ending_agrees(ended, made)
        ) as ending on true
        inner join wallet.operation_event as begun on ending.operation_id = begun.operation_id and begun.sequence = 1
        cross join lateral (
            select event.sequence, event.state, event.basis
            from wallet.operation_event as event
            where event.operation_id = ending.operation_id
            order by event.sequence desc
            limit 1
        ) as latest
        where latest.state in ('sent', 'unknown', 'confirmed')
    ),

    kept as (
        insert into wallet.contested_ending (
            hold_id, organization_id, kind, source, idempotency_key, reported_organization_id, reported_customer_id, reported_wallet_id,
            reported_amount, occurred_at
        )
        select
            disagreeing.hold_id, disagreeing.held_by, disagreeing.kind, disagreeing.source, disagreeing.ending_key, disagreeing.told_by,
            disagreeing.customer_id, disagreeing.wallet_id, disagreeing.amount, disagreeing.requested_at
        from disagreeing
        on conflict do nothing
    )

    insert into wallet.operation_event (operation_id, sequence, state, basis, evidence, occurred_at)
    select distinct on (disagreeing.operation_id)
        disagreeing.operation_id,
        disagreeing.sequence + 1,
        'rejected',
        'report',
        jsonb_build_object('reason', 'contested', 'hold_id', disagreeing.hold_id),
        disagreeing.occurred_at
    from disagreeing
    where disagreeing.is_observed and disagreeing.basis is distinct from 'person'
    on conflict (operation_id, sequence) do nothing;

    -- One hold at Syrve is one row, for all reporters: ours if we made it, else the first by its id.
    delete from wallet.hold as other
    using wallet.hold as kept, wallet.operation as kept_operation, wallet.operation as other_operation
    where
        other.hold_id = any(concerned)
        and other.observed
        and kept.transaction_id = other.transaction_id
        and (kept.observed, kept.hold_id) < (other.observed, other.hold_id)
        and kept_operation.operation_id = kept.hold_id
        and other_operation.operation_id = other.hold_id
        and wallet.same_hold(other_operation, kept_operation);
    return null;
end
$$;
comment on function wallet.follow_holds() is
'Recomputes the holds that new events concern, and keeps ends that do not agree with them; of several operations that are one hold at Syrve one keeps the row.';

-- As the owner, likewise.
create function wallet.follow_unsettled() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
begin
    -- What others report with its outcome was never open here: most of an import passes by. A reopened outcome may have lost its row.
    insert into wallet.unsettled_operation (
        operation_id, kind, organization_id, customer_id, wallet_id, amount, order_id, hold_id, source, state, planned_at, sent_at
    )
    select
        operation.operation_id, operation.kind, operation.organization_id, operation.customer_id, operation.wallet_id, operation.amount,
        operation.order_id, operation.hold_id, operation.source, event.state,
        case when event.state = 'planned' then event.occurred_at end,
        case
            when event.sequence > 1 then (
                select min(known.occurred_at)
                from wallet.operation_event as known
                where known.operation_id = event.operation_id and known.state <> 'planned'
            )
            when event.state <> 'planned' then event.occurred_at
        end
    from added as event
    inner join wallet.operation as operation on event.operation_id = operation.operation_id
    where (event.sequence = 1 and event.state in ('planned', 'sent', 'unknown')) or (event.sequence > 1 and event.state = 'unknown')
    on conflict (operation_id) do nothing;

    update wallet.unsettled_operation as known
    set
        state = latest.state,
        sent_at = coalesce(known.sent_at, latest.sent_at),
        settled_at = latest.settled_at,
        basis = latest.basis
    from (
        select
            event.operation_id,
            (array_agg(event.state order by event.sequence desc))[1] as state,
            (array_agg(event.basis order by event.sequence desc))[1] as basis,
            min(event.occurred_at) filter (where event.state in ('sent', 'unknown')) as sent_at,
            (array_agg(case when event.basis is not null then event.occurred_at end order by event.sequence desc))[1] as settled_at
        from added as event
        where event.sequence > 1
        group by event.operation_id
    ) as latest
    where known.operation_id = latest.operation_id;

    delete from wallet.unsettled_operation as known
    using added as event
    where
        event.sequence > 1
        and event.state in ('confirmed', 'rejected')
        and known.operation_id = event.operation_id
        and known.settled_at is not null
        and known.basis <> 'balance'
        and not coalesce(known.settled_at > least(known.planned_at, known.sent_at) + interval '1 minute', false);
    return null;
end
$$;
comment on function wallet.follow_unsettled() is 'Keeps unsettled_operation in step with new events.';

create trigger b_holds after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.follow_holds();

create trigger c_unsettled after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.follow_unsettled();

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
        from (values ('open_hold', 'hold')) as pair (view_name, table_name)
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
