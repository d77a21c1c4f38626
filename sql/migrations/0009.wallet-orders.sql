-- depends: 0008.wallet-holds
-- Orders that are paid from wallets, and what Syrve's transactions report says.

create table wallet.payment_order (
    organization_id uuid not null,
    order_id text not null check (order_id <> ''),
    state text not null check (state in ('open', 'completed', 'cancelled', 'failed')),
    amount numeric check (amount >= 0 and amount < 'infinity'),
    state_at timestamptz not null,
    source text,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, order_id)
);
comment on table wallet.payment_order is
'Orders that are paid from wallets, each in its latest state by state_at. An older state that arrives late goes to payment_order_version only.';
comment on column wallet.payment_order.organization_id is 'Organization that serves the order.';
comment on column wallet.payment_order.order_id is 'Order as the order service names it.';
comment on column wallet.payment_order.state is 'open, completed, cancelled or failed.';
comment on column wallet.payment_order.amount is 'Money to be paid from the wallet; null where it is not known.';
comment on column wallet.payment_order.state_at is 'When the order came into this state.';
comment on column wallet.payment_order.source is 'Who reported it.';
comment on column wallet.payment_order.recorded_at is 'When we took it in.';

create table wallet.payment_order_version (
    organization_id uuid not null,
    order_id text not null,
    state_at timestamptz not null,
    state text not null,
    amount numeric,
    source text,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, order_id, state_at, state)
);
create index payment_order_version_recorded_at on wallet.payment_order_version using brin (recorded_at);
comment on table wallet.payment_order_version is
'Every state that an order was reported in; append-only, written by the trigger of payment_order. As of a moment: the latest state_at before it.';
comment on column wallet.payment_order_version.organization_id is 'Organization that serves the order.';
comment on column wallet.payment_order_version.order_id is 'Order as the order service names it.';
comment on column wallet.payment_order_version.state_at is 'When the order came into this state.';
comment on column wallet.payment_order_version.state is 'open, completed, cancelled or failed.';
comment on column wallet.payment_order_version.amount is 'Money to be paid from the wallet, as reported then.';
comment on column wallet.payment_order_version.source is 'Who reported it.';
comment on column wallet.payment_order_version.recorded_at is 'When we took it in; much later than state_at for a row that arrives late.';

-- Writers simply upsert: the version is kept in any case, and the row moves only forward in time.
create function wallet.keep_order_version() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.payment_order_version (organization_id, order_id, state_at, state, amount, source)
    values (new.organization_id, new.order_id, new.state_at, new.state, new.amount, new.source)
    on conflict do nothing;
    if tg_op = 'UPDATE' and (new.state_at, new.state, new.amount) is not distinct from (old.state_at, old.state, old.amount) then
        return null;
    end if;
    if tg_op = 'UPDATE' and new.state_at < old.state_at then
        return null;
    end if;
    new.recorded_at := clock_timestamp();
    return new;
end
$$;
comment on function wallet.keep_order_version() is 'Keeps every reported state, and the latest one in payment_order.';

-- An order that is given another name, as an erasure does, is in no new state.
create trigger keep_version before insert or update of state, amount, state_at, source on wallet.payment_order
for each row execute function wallet.keep_order_version();

-- What Syrve's transactions report says (dialect cloud), as evidence. Its texts are not kept: staff may write names into them.

create table wallet.transaction (
    organization_id uuid not null,
    transaction_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid,
    revision bigint not null,
    type integer,
    type_name text,
    amount numeric,
    balance_before numeric,
    balance_after numeric,
    marked_operation_id uuid,
    marked_part text check (marked_part in ('movement', 'beginning', 'end')),
    repeated_operation_id uuid,
    order_number bigint,
    pos_order_id text,
    created_at timestamptz,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, transaction_id),
    constraint transaction_marks_or_repeats check (marked_operation_id is null or repeated_operation_id is null),
    constraint transaction_part_of_an_operation check (
        marked_part is null or coalesce(marked_operation_id, repeated_operation_id) is not null
    )
);
create index transaction_wallet on wallet.transaction (organization_id, customer_id, wallet_id, created_at);
-- Organizations of one network share their customers' wallets.
create index transaction_customer on wallet.transaction (customer_id, created_at);
create index transaction_marked on wallet.transaction (marked_operation_id) where marked_operation_id is not null;
-- An operation is sent once, so one row is it.
create unique index transaction_is_the_operation on wallet.transaction (organization_id, marked_operation_id, marked_part)
where marked_part is not null;
create index transaction_repeated on wallet.transaction (organization_id, repeated_operation_id) where repeated_operation_id is not null;
comment on table wallet.transaction is 'Movements of customers'' money as Syrve''s report tells them (dialect cloud): of customers with open holds, since a revision, and rows that repeat an operation of ours.';
comment on column wallet.transaction.organization_id is 'Organization concerned.';
comment on column wallet.transaction.transaction_id is 'Syrve''s id of the transaction.';
comment on column wallet.transaction.customer_id is 'Customer whose money moved.';
comment on column wallet.transaction.wallet_id is 'Wallet, where the report says.';
comment on column wallet.transaction.revision is 'Place in Syrve''s order of all transactions.';
comment on column wallet.transaction.type is 'Syrve''s type code.';
comment on column wallet.transaction.type_name is 'Syrve''s name of the type.';
comment on column wallet.transaction.amount is 'Sum as reported; its sign depends on the service.';
comment on column wallet.transaction.balance_before is 'Balance before, as reported.';
comment on column wallet.transaction.balance_after is 'Balance after, as reported.';
comment on column wallet.transaction.marked_operation_id is
'Operation of our ledger that the comment names, and that this row is: the first row that may be it.';
comment on column wallet.transaction.marked_part is
'What of the operation the row shows: its movement, or the beginning or the end of a hold; null if it does not change the balance of a hold.';
comment on column wallet.transaction.repeated_operation_id is
'Operation of our ledger that the comment names though another row is it: a second movement, or the same one reported twice.';
comment on column wallet.transaction.order_number is 'Number of the order at the till.';
comment on column wallet.transaction.pos_order_id is 'Id of the order at the till.';
comment on column wallet.transaction.created_at is 'When the money moved.';
comment on column wallet.transaction.recorded_at is 'When we took it in.';

create view wallet.repeated_transaction as
select
    repeated.organization_id,
    repeated.transaction_id,
    repeated.repeated_operation_id as operation_id,
    repeated.customer_id,
    repeated.wallet_id,
    repeated.amount,
    repeated.created_at,
    repeated.balance_before is not null
    and repeated.balance_after is not null
    and not exists (
        select
        from wallet.transaction as other
        where
            other.organization_id = repeated.organization_id
            and repeated.repeated_operation_id in (other.marked_operation_id, other.repeated_operation_id)
            and other.marked_part = repeated.marked_part
            and other.transaction_id <> repeated.transaction_id
            and (other.repeated_operation_id is null or (other.revision, other.transaction_id) < (repeated.revision, repeated.transaction_id))
            and (
                other.balance_before is null
                or other.balance_after is null
                or (other.balance_before, other.balance_after) = (repeated.balance_before, repeated.balance_after)
            )
    ) as is_second_movement
from wallet.transaction as repeated
where repeated.repeated_operation_id is not null;
comment on view wallet.repeated_transaction is
'Rows of Syrve''s report that name an operation of ours though another row is it already. The operation was sent once.';
comment on column wallet.repeated_transaction.organization_id is 'Organization concerned.';
comment on column wallet.repeated_transaction.transaction_id is 'Syrve''s id of the transaction.';
comment on column wallet.repeated_transaction.operation_id is 'Operation that the row names.';
comment on column wallet.repeated_transaction.customer_id is 'Customer whose money moved.';
comment on column wallet.repeated_transaction.wallet_id is 'Wallet, where the report says.';
comment on column wallet.repeated_transaction.amount is 'Sum as reported.';
comment on column wallet.repeated_transaction.created_at is 'When the money moved.';
comment on column wallet.repeated_transaction.is_second_movement is
'Whether its balances are others than those of each row of that operation before it: then the money moved again. Else it may be the same movement, reported twice.';

create table wallet.transaction_bookmark (
    organization_id uuid not null,
    customer_id uuid not null,
    revision bigint not null,
    read_at timestamptz default clock_timestamp(),
    looked_again_until timestamptz,
    primary key (organization_id, customer_id)
);
comment on table wallet.transaction_bookmark is 'How far the transactions of each customer were read.';
comment on column wallet.transaction_bookmark.organization_id is 'Organization concerned.';
comment on column wallet.transaction_bookmark.customer_id is 'Customer concerned.';
comment on column wallet.transaction_bookmark.revision is 'Highest revision read so far.';
comment on column wallet.transaction_bookmark.read_at is 'When it was last read on from a revision; null: it was not.';
comment on column wallet.transaction_bookmark.looked_again_until is
'Operations of ours that were sent by then were looked for in the report some time after; null: none was.';

-- What Syrve said that it did is looked for in its report some time later (dialect cloud).
create table wallet.operation_look (
    organization_id uuid not null,
    operation_id uuid not null references wallet.operation,
    is_shown boolean,
    balance numeric,
    looked_at timestamptz not null default clock_timestamp(),
    primary key (operation_id, looked_at)
);
create index operation_look_organization on wallet.operation_look (organization_id, operation_id, looked_at);
comment on table wallet.operation_look is
'Looks at Syrve''s report for operations of ours that it had answered with yes: those that did not find the operation, and a later one that did. Append-only; '
'an operation that the first look finds has no row.';
comment on column wallet.operation_look.organization_id is 'Organization concerned.';
comment on column wallet.operation_look.operation_id is 'Top-up, charge or cancellation that was looked for.';
comment on column wallet.operation_look.is_shown is
'Whether a movement was found that can be the operation. Null: none was, and it is not known whether the report has all movements; it is looked for again.';
comment on column wallet.operation_look.balance is 'Balance at that time. Where is_shown is false it is that of the newest row of the report, so that no movement lacks there.';
comment on column wallet.operation_look.looked_at is 'When it was looked for.';

create function wallet.hold_had_lowered_balance(cancellation_id uuid) returns boolean
language sql
stable
cost 10000
begin atomic
    with cancelled as (
        select
            operation.operation_id,
            operation.hold_id,
            operation.customer_id,
            operation.wallet_id,
            operation.amount,
            sent.occurred_at,
            (sent.evidence ->> 'balance_before')::numeric as balance
        from wallet.operation as operation
        inner join wallet.operation_event as sent on operation.operation_id = sent.operation_id and sent.sequence = 2 and sent.state = 'sent'
        where operation.operation_id = cancellation_id
    ),

    held as (
        select
            hold.hold_id,
            sent.occurred_at,
            (sent.evidence ->> 'balance_before')::numeric as balance
        from cancelled
        inner join wallet.hold as hold on cancelled.hold_id in (hold.hold_id, hold.transaction_id)
        inner join wallet.operation_event as sent on hold.hold_id = sent.operation_id and sent.sequence = 2 and sent.state = 'sent'
    ),

    others as (
        select
            sum(case other.kind when 'topup' then other.amount else -other.amount end) as effect,
            bool_and(other.kind in ('topup', 'chargeoff') and latest.state = 'confirmed' and begun.state = 'planned') as are_known
        from cancelled
        cross join held
        inner join wallet.operation as other
            on
                cancelled.customer_id = other.customer_id
                and (cancelled.wallet_id = other.wallet_id or other.wallet_id is null)
                and other.operation_id not in (cancelled.operation_id, held.hold_id)
        inner join wallet.operation_event as begun on other.operation_id = begun.operation_id and begun.sequence = 1
        cross join
            lateral (
                select event.state
                from wallet.operation_event as event
                where event.operation_id = other.operation_id
                order by event.sequence desc
                limit 1
            ) as latest
        where
            latest.state <> 'rejected'
            and exists (
                select
                from wallet.operation_event as event
                where
                    event.operation_id = other.operation_id
                    and event.state in ('sent', 'confirmed', 'unknown')
                    and event.occurred_at between held.occurred_at and cancelled.occurred_at
            )
    )

    select
        coalesce(
            bool_and(coalesce(others.are_known, true) and held.balance + coalesce(others.effect, 0) - cancelled.amount = cancelled.balance),
            false
        ) as is_shown
    from cancelled
    cross join held
    cross join others;
end;
comment on function wallet.hold_had_lowered_balance(uuid) is
'Whether the balances before the calls show that a hold of ours, which a cancellation of ours ended, had lowered the balance: so what was given back shows in '
'it. False if that is not known: the hold is not ours, or others moved the wallet in between.';
