-- depends: 0024.signals
-- The fence: what shows that the ledger is as new as the world, and stops every money call if it may not be.

create table wallet.ledger (
    ledger_id uuid not null default gen_random_uuid(),
    is_the_ledger boolean primary key default true check (is_the_ledger)
);
comment on table wallet.ledger is 'One row: the id of this ledger, by which its marks outside are known. A backup keeps it.';
comment on column wallet.ledger.ledger_id is 'Made when the warehouse is made.';
comment on column wallet.ledger.is_the_ledger is 'Always true: keeps the table at one row.';
insert into wallet.ledger default values;

create table wallet.epoch (
    epoch_id uuid primary key default gen_random_uuid(),
    begun_by text not null check (begun_by <> ''),
    number bigint generated always as identity unique,
    begun_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user,
    is_marked boolean not null default false
);
create index epoch_marked on wallet.epoch (number) where is_marked;
comment on table wallet.epoch is
'Stretches of the ledger: one begins with each money call, once the call is in the ledger and before it is made. The newest is marked outside the '
'warehouse as well, so that a ledger that lacks it is known to be older than the world.';
comment on column wallet.epoch.epoch_id is 'Id that the mark outside holds.';
comment on column wallet.epoch.begun_by is 'Task or program that was about to move money.';
comment on column wallet.epoch.number is 'Counts up; of two marks the one with the greater number is the newer.';
comment on column wallet.epoch.begun_at is 'When it began.';
comment on column wallet.epoch.recorded_by is 'Login of the database that wrote the row.';
comment on column wallet.epoch.is_marked is 'Whether a place outside has taken it: only then a ledger without any mark shows that marks were lost.';

create table wallet.fence (
    fence_id bigint generated always as identity primary key,
    reason text not null check (reason <> ''),
    evidence jsonb not null check (jsonb_typeof(evidence) = 'array'),
    closed_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user
);
comment on table wallet.fence is
'Each time that the ledger was found to be older than the world, or may be: no money call is made until a person lifts the fence; append-only.';
comment on column wallet.fence.fence_id is 'Number of the fence; the row of wallet.fence_lift names it.';
comment on column wallet.fence.reason is 'What was found, in words.';
comment on column wallet.fence.evidence is 'The marks that do not fit, and the server that they were compared with: lifting accepts these and no others.';
comment on column wallet.fence.closed_at is 'When it was closed.';
comment on column wallet.fence.recorded_by is 'Login of the database that closed it.';

create table wallet.fence_lift (
    fence_id bigint primary key references wallet.fence (fence_id),
    reason text not null check (reason ~ '\S.{8}'),
    lifted_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user
);
comment on table wallet.fence_lift is
'A person''s word that money may move again: what was lost is known, or was looked for. Written by operations, never by a DAG; append-only.';
comment on column wallet.fence_lift.fence_id is 'Fence that is lifted.';
comment on column wallet.fence_lift.reason is 'What was compared, and who answers for it; ten characters and more.';
comment on column wallet.fence_lift.lifted_at is 'When.';
comment on column wallet.fence_lift.recorded_by is 'Login of the database that lifted it.';

create view wallet.closed_fence as
select
    closed.fence_id,
    closed.reason,
    closed.evidence,
    closed.closed_at
from wallet.fence as closed
where not exists (select from wallet.fence_lift as lifted where lifted.fence_id = closed.fence_id);
comment on view wallet.closed_fence is 'Fences that no person has lifted: while there is one, no operation can be sent.';
comment on column wallet.closed_fence.fence_id is 'Number of the fence.';
comment on column wallet.closed_fence.reason is 'What was found, in words.';
comment on column wallet.closed_fence.evidence is 'The marks that do not fit, and the server that they were compared with.';
comment on column wallet.closed_fence.closed_at is 'When it was closed.';

-- A restore to another server, a promotion and a restore in place each change one of these; a restart or a vacuum changes none.
create function wallet.ledger_server() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'cluster', (select control.system_identifier::text from pg_control_system() as control),
        'timeline', substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
        'database', (select own.oid::text from pg_database as own where own.datname = current_database()),
        'ledger', 'wallet.operation'::regclass::oid::text
    )
$$;
comment on function wallet.ledger_server() is
'Which server, timeline, database and table the ledger is in: kept in the mark outside, and compared with it.';

create function wallet.stop_at_fence() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from added where added.state = 'sent' and added.sequence > 1) and exists (select from wallet.closed_fence) then
        raise exception 'no operation can be sent: the ledger may be older than the world, and no person has lifted the fence'
            using errcode = 'SY005', hint = 'wallet.closed_fence says what was found';
    end if;
    return null;
end
$$;
comment on function wallet.stop_at_fence() is 'Keeps operations from being sent while a fence is closed, for every writer.';

create trigger a_fence after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.stop_at_fence();

-- What may have been done after a backup was made, and would be done again: to be compared with Syrve before a fence is lifted.
create view wallet.restore_suspect as
with begun as (
    select
        operation.source,
        regexp_replace(operation.idempotency_key, ':[0-9]+$', '') as row_key
    from wallet.operation_state as operation
    where operation.source like 'topup:%' and operation.state <> 'rejected'
),

suspect as (
    select
        'operation' as what,
        open.operation_id::text as key,
        open.kind,
        open.organization_id,
        open.customer_id,
        open.wallet_id,
        open.amount,
        open.source,
        open.state,
        open.planned_at as since
    from wallet.unsettled_operation as open
    where open.settled_at is null
    union all
    select
        'campaign row' as what,
        listed.row_key,
        'topup' as kind,
        listed.organization_id,
        listed.customer_id,
        listed.wallet_id,
        listed.amount,
        'topup:' || listed.campaign as source,
        'to be sent' as state,
        latest.planned_at
    from wallet.campaign_version as latest
    inner join wallet.campaign_row as listed on latest.campaign = listed.campaign and latest.version = listed.version
    left join begun on begun.source = 'topup:' || listed.campaign and listed.row_key = begun.row_key
    where
        not latest.is_given_up
        and not exists (select from wallet.campaign_version as later where later.campaign = latest.campaign and later.version > latest.version)
        and begun.row_key is null
    union all
    select
        'payment' as what,
        due.payment_id::text as key,
        'chargeoff' as kind,
        due.organization_id,
        due.customer_id,
        due.wallet_id,
        due.amount,
        'payment' as source,
        due.state,
        due.begun_at
    from wallet.payment_state as due
    where due.state not in ('paid', 'given_back')
)

select
    suspect.what,
    suspect.key,
    suspect.kind,
    suspect.organization_id,
    suspect.customer_id,
    suspect.wallet_id,
    suspect.amount,
    suspect.source,
    suspect.state,
    suspect.since,
    (
        select max(moved.requested_at)
        from wallet.operation as moved
        where
            moved.organization_id = suspect.organization_id
            and moved.customer_id = suspect.customer_id
            and moved.wallet_id = suspect.wallet_id
            and moved.amount = suspect.amount
            and moved.kind = suspect.kind
            and moved.source = 'transactions'
            and moved.requested_at > suspect.since - wallet.clock_skew()
    ) as reported_at
from suspect;
comment on view wallet.restore_suspect is
'What the ledger does not know as done and would do again: after a restore each may have been done since the backup. What Syrve was asked for and the '
'backup has no trace of is not in it.';
comment on column wallet.restore_suspect.what is 'operation, campaign row or payment.';
comment on column wallet.restore_suspect.key is 'Id of the operation or payment, or key of the row in its campaign.';
comment on column wallet.restore_suspect.kind is 'As in wallet.operation: what would be sent; of a payment its charge.';
comment on column wallet.restore_suspect.organization_id is 'Organization.';
comment on column wallet.restore_suspect.customer_id is 'Customer.';
comment on column wallet.restore_suspect.wallet_id is 'Wallet.';
comment on column wallet.restore_suspect.amount is 'Amount, in the wallet''s currency.';
comment on column wallet.restore_suspect.source is 'As in wallet.operation.';
comment on column wallet.restore_suspect.state is 'State in the ledger as restored.';
comment on column wallet.restore_suspect.since is 'When the ledger learned of it: what Syrve moved before is something else.';
comment on column wallet.restore_suspect.reported_at is
'When Syrve last moved this amount in this wallet by a transaction that the ledger does not know as its own: then this one was probably carried out. Null shows nothing about holds, of which reports have no separate row.';
