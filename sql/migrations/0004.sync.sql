-- depends: 0003.mirror-history
-- Whom to look up next, what each run did, what could not be imported, and how many calls there are to spend.

create sequence sync.lease_id as integer cycle;
comment on sequence sync.lease_id is 'Numbers of leases; the holder keeps an advisory lock of that number while it lives.';

create table sync.roster (
    organization_id uuid not null,
    identity_kind text not null check (identity_kind in ('phone', 'id', 'card', 'card_number')),
    identity_value text not null,
    source text not null,
    received_value text,
    priority smallint not null default 0,
    due_at timestamptz not null default now(),
    checked_at timestamptz,
    outcome text check (outcome in ('found', 'not_found', 'rejected', 'failed')),
    customer_id uuid,
    misses integer not null default 0,
    changes real,
    exposure_days real,
    changed_at timestamptz,
    weight real,
    lease integer,
    leased_until timestamptz,
    added_at timestamptz not null default now(),
    active_until timestamptz,
    confirmed_at timestamptz,
    backfill_id bigint,
    primary key (organization_id, identity_kind, identity_value)
) with (fillfactor = 80);  -- each look-up updates its row twice; with room on the page, taking a lease stays off the indexes
-- Planning counts what is due without reading the rows. New identities have a separate index, so that an import of many is not in the way
-- of those that are known.
create index roster_due on sync.roster (organization_id, priority desc, due_at) include (active_until) where checked_at is not null;
create index roster_new on sync.roster (organization_id, priority desc, due_at) include (active_until) where checked_at is null;
create index roster_active on sync.roster (organization_id, due_at) where active_until is not null;
create index roster_backfill on sync.roster (backfill_id, organization_id, identity_value) where backfill_id is not null;
create index roster_customer on sync.roster (organization_id, customer_id) where customer_id is not null;
comment on table sync.roster is 'Identities to look up: Syrve has no list of customers, so the pull walks this one. A row needs only its key and source.';
comment on column sync.roster.organization_id is 'Organization to ask; it may not have been seen yet.';
comment on column sync.roster.identity_kind is 'What the value is: phone, id, card (its track) or card_number (what is printed on it).';
comment on column sync.roster.identity_value is 'Phone as E.164, customer id, or card track.';
comment on column sync.roster.source is 'Where the identity came from, such as crm, file or query.';
comment on column sync.roster.received_value is 'The value as it was received, where it was put into another form.';
comment on column sync.roster.priority is 'Higher ones are looked up first when due, and more often: see weight.';
comment on column sync.roster.due_at is
'When the next look-up is due; infinity: covered, the customer is looked up under another identity, and the answer names this one (sql/roster/cover.sql).';
comment on column sync.roster.checked_at is 'Time of the last answer: a customer found then was at least as fresh.';
comment on column sync.roster.outcome is 'How the last look-up ended: found, not_found, rejected (record unusable) or failed (no answer).';
comment on column sync.roster.customer_id is 'Customer last found under this identity.';
comment on column sync.roster.misses is 'Look-ups in a row that did not end with found.';
comment on column sync.roster.changes is 'Changes that look-ups have found, older ones counting less (a half every 150 days): see sync.change_rate.';
comment on column sync.roster.exposure_days is 'Days that look-ups have watched for changes, older ones counting less likewise.';
comment on column sync.roster.changed_at is 'When a look-up last found a change, or answered first: long ago for their rate, and they may have stopped coming.';
comment on column sync.roster.weight is 'How much a day of delay counts here against another customer''s; null is 1. Times 2 for each step of priority.';
comment on column sync.roster.lease is 'Task that is looking this identity up now; dead once its advisory lock is gone.';
comment on column sync.roster.leased_until is 'When the lease ends at the latest.';
comment on column sync.roster.added_at is 'When the identity was added.';
comment on column sync.roster.active_until is
'Until then the customer is looked at by the clock (a hold is open, a push or a money call to be read back) by syrve_balances; null: not at all.';
comment on column sync.roster.confirmed_at is
'Time of the last answer that told how customer_id is: found under this identity or, for their id, no longer known. Older answers count no more.';
comment on column sync.roster.backfill_id is
'Backfill that still has to look this identity up; null is none. Any look-up that got an answer clears it.';

create table sync.run (
    run_id text not null,
    task text not null,
    map_index integer not null,
    requested bigint not null default 0,
    found bigint not null default 0,
    not_found bigint not null default 0,
    changed bigint not null default 0,
    unchanged bigint not null default 0,
    rejected bigint not null default 0,
    failed bigint not null default 0,
    cleaned bigint not null default 0,
    calls bigint not null default 0,
    retries bigint not null default 0,
    rate_limited bigint not null default 0,
    held_back bigint not null default 0,
    seconds numeric not null default 0,
    changed_tables text[] not null default '{}',
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (run_id, task, map_index)
);
comment on table sync.run is 'What each task of each DAG run did; counted in the same transaction as the data.';
comment on column sync.run.run_id is 'Airflow''s run id.';
comment on column sync.run.task is 'DAG id and task id, with a dot between.';
comment on column sync.run.map_index is 'Index of the mapped task, -1 where it is not mapped.';
comment on column sync.run.requested is 'Records asked for or offered.';
comment on column sync.run.found is 'Look-ups that gave a customer, or records that were listed.';
comment on column sync.run.not_found is 'Look-ups under which nothing is known.';
comment on column sync.run.changed is 'Records written because something differed.';
comment on column sync.run.unchanged is 'Records that cost no row version.';
comment on column sync.run.rejected is 'Records that could not be imported; see sync.reject.';
comment on column sync.run.failed is 'Look-ups that got no usable answer in time; they are due again.';
comment on column sync.run.cleaned is 'Fields that were put right on the way in.';
comment on column sync.run.calls is 'Requests sent to Syrve, repeats included.';
comment on column sync.run.retries is 'Requests that had to be repeated.';
comment on column sync.run.rate_limited is 'Answers with status 429.';
comment on column sync.run.held_back is 'Look-ups whose answer a breaker held back; see sync.breaker.';
comment on column sync.run.seconds is 'Time that the task worked, all tries together.';
comment on column sync.run.changed_tables is 'Tables of which rows were written: their assets are updated.';
comment on column sync.run.started_at is 'First count of the task.';
comment on column sync.run.updated_at is 'Last count of the task.';

create table sync.reject (
    reject_id bigint generated always as identity primary key,
    run_id text not null,
    entity text not null,
    organization_id uuid,
    identity text not null,
    stage text not null,
    reason text not null,
    payload jsonb,
    occurrences integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz
);
create unique index reject_open on sync.reject (entity, organization_id, identity, stage, reason) nulls not distinct
where resolved_at is null;
comment on table sync.reject is 'What could not be imported, whole records or single fields; open until resolved_at is set. Holds personal data.';
comment on column sync.reject.reject_id is 'Number of the reject.';
comment on column sync.reject.run_id is 'Run that met it last.';
comment on column sync.reject.entity is
'What it is: customer, coupon_series, coupon, roster, crm_import, crm_customer (a push), or organization (passed over as a whole).';
comment on column sync.reject.organization_id is 'Organization concerned, where known.';
comment on column sync.reject.identity is 'Key under which it was looked up or offered.';
comment on column sync.reject.stage is
'Where it was stopped: look_up (whole answer), field (one of a record that was imported), import, read_back (a push that did not show), or a call.';
comment on column sync.reject.reason is 'What is wrong, by field and problem; holds no value.';
comment on column sync.reject.payload is 'What was received, cut to a sensible size.';
comment on column sync.reject.occurrences is 'How many times it has come like this.';
comment on column sync.reject.first_seen_at is 'First time.';
comment on column sync.reject.last_seen_at is 'Last time.';
comment on column sync.reject.resolved_at is 'Set by itself when the same identity is imported without this problem, or by a person.';

create function sync.date_resolving() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.resolved_at := now();
    return new;
end
$$;
comment on function sync.date_resolving() is 'Dates the resolving of a reject by the clock of the database, for every writer: its retention counts from there.';

create trigger date_resolving before update on sync.reject
for each row when (new.resolved_at is distinct from old.resolved_at and new.resolved_at is not null) execute function sync.date_resolving();

create table sync.coupon_watch (
    organization_id uuid not null,
    number text not null,
    source text not null,
    added_at timestamptz not null default now(),
    primary key (organization_id, number)
);
comment on table sync.coupon_watch is 'Coupon numbers that syrve_coupons looks up on each run.';
comment on column sync.coupon_watch.organization_id is 'Organization to ask.';
comment on column sync.coupon_watch.number is 'Number on the coupon.';
comment on column sync.coupon_watch.source is 'Who put it on the list.';
comment on column sync.coupon_watch.added_at is 'When it was put on the list.';

create function sync.uncover() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with locked as materialized (
        select roster.organization_id, roster.identity_kind, roster.identity_value
        from sync.roster as roster
        where
            roster.due_at = 'infinity'
            and (roster.organization_id, roster.customer_id) in (select gone.organization_id, gone.customer_id from gone where gone.due_at < 'infinity')
        order by roster.organization_id, roster.identity_kind, roster.identity_value
        for no key update
    )
    update sync.roster as roster
    set due_at = now()
    from locked
    where
        roster.organization_id = locked.organization_id
        and roster.identity_kind = locked.identity_kind
        and roster.identity_value = locked.identity_value;
    return null;
end
$$;
comment on function sync.uncover() is 'Makes identities due that were covered by one which has been deleted from the roster: else none of the customer would be looked up.';
create trigger roster_uncover
after delete on sync.roster
referencing old table as gone
for each statement execute function sync.uncover();

create view sync.roster_masked as
select
    organization_id,
    identity_kind,
    case
        when identity_kind = 'id' then identity_value
        else repeat('*', greatest(length(identity_value) - 2, 0)) || right(identity_value, least(2, length(identity_value) / 2))
    end as identity_masked,
    source,
    priority,
    due_at,
    checked_at,
    outcome,
    customer_id,
    misses,
    changes,
    exposure_days,
    changed_at,
    weight,
    lease,
    leased_until,
    added_at,
    active_until,
    confirmed_at,
    backfill_id
from sync.roster;
comment on view sync.roster_masked is 'The roster for operations: of a phone or card its end only. Who it is, is seen by syrve_ops_clear.';
comment on column sync.roster_masked.identity_masked is 'End of the phone or card; an id of Syrve whole.';

create view sync.reject_masked as
select
    reject_id,
    run_id,
    entity,
    organization_id,
    repeat('*', greatest(length(identity) - 2, 0)) || right(identity, least(2, length(identity) / 2)) as identity_masked,
    stage,
    reason,
    occurrences,
    first_seen_at,
    last_seen_at,
    resolved_at
from sync.reject;
comment on view sync.reject_masked is 'Rejects for operations: of the key its end only, and nothing of what was received.';
comment on column sync.reject_masked.identity_masked is 'End of the key under which it was looked up or offered.';

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
        from (values ('roster_masked', 'roster'), ('reject_masked', 'reject')) as pair (view_name, table_name)
        inner join pg_class as viewed on viewed.relname = pair.view_name and viewed.relnamespace = 'sync'::regnamespace
        inner join pg_class as tabled on tabled.relname = pair.table_name and tabled.relnamespace = 'sync'::regnamespace
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        inner join pg_attribute as source on tabled.oid = source.attrelid and attribute.attname = source.attname
    loop
        execute format('comment on column sync.%I.%I is %L', described.relation_name, described.column_name, described.description);
    end loop;
end
$$;

create function sync.lease_is_held(lease integer, lease_class integer) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select
        from pg_locks
        where
            locktype = 'advisory'
            and classid = lease_class::bigint::oid
            and objid = lease::bigint::oid
            and objsubid = 2
            and granted
            and database = (select oid from pg_database where datname = current_database())
    )
$$;
comment on function sync.lease_is_held(integer, integer) is
'Whether the task of a lease lives at this moment: read again at every call, where a query reads pg_locks once.';

create table sync.refresh_policy (
    organization_id uuid primary key,
    max_age_seconds integer check (max_age_seconds > 0),
    min_interval_seconds integer check (min_interval_seconds > 0),
    watch_seconds integer check (watch_seconds > 0),
    crm_weight real check (crm_weight between 0.0001 and 10000),
    gone_weight real check (gone_weight between 0.0001 and 10000),
    check (min_interval_seconds <= max_age_seconds)
);
comment on table sync.refresh_policy is
'What is promised to an organization and what counts there, if not as the project has it; a null takes the default.';
comment on column sync.refresh_policy.organization_id is 'Organization concerned.';
comment on column sync.refresh_policy.max_age_seconds is 'No customer stays longer without a look-up, if the budget allows it; default 30 days.';
comment on column sync.refresh_policy.min_interval_seconds is 'No customer is looked up more often; default 15 minutes.';
comment on column sync.refresh_policy.watch_seconds is 'Interval of customers who are looked at by the clock (roster.active_until); default 15 minutes.';
comment on column sync.refresh_policy.crm_weight is 'Weight of customers whom the CRM manages (crm.customer); default 2.';
comment on column sync.refresh_policy.gone_weight is 'Weight of customers who are deleted and of identities not found or unusable; default 0.1.';

-- Backfills: a chosen set of identities to refresh once, behind scheduled work. One is chosen in steps, each of which commits; what is left
-- of it is found in an order that what is done does not lengthen.

create table sync.backfill (
    backfill_id bigint generated always as identity primary key,
    run_id text not null unique,
    criteria jsonb not null,
    requested bigint not null default 0,
    calls_per_minute numeric check (calls_per_minute between 0.0001 and 1000000),
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    planned_at timestamptz
);
comment on table sync.backfill is 'Backfills that were started from syrve_backfill: what was asked for, and how far it got.';
comment on column sync.backfill.backfill_id is 'Number of the backfill.';
comment on column sync.backfill.run_id is 'Airflow''s run id.';
comment on column sync.backfill.criteria is 'What was chosen: organizations, not_refreshed_since, force, and how many identities were named; holds no identity.';
comment on column sync.backfill.requested is 'Identities chosen.';
comment on column sync.backfill.calls_per_minute is 'Cap that the form set on its calls; null is none.';
comment on column sync.backfill.started_at is 'When it was planned.';
comment on column sync.backfill.finished_at is 'When none of its identities was left to look up; null while it works.';
comment on column sync.backfill.planned_at is 'When all its identities had been chosen; null while that goes on, or where it was cut off.';

-- Calls per minute, shared by every task on every machine: see sql/budget/take.sql.

create table sync.call_budget (
    account text not null,
    family text not null,
    calls_per_minute numeric not null check (calls_per_minute between 0.0001 and 1000000),
    configured_per_minute numeric not null,
    cap_per_minute numeric check (cap_per_minute between 0.0001 and 1000000),
    reserved_share numeric not null default 0.2 check (reserved_share between 0 and 0.95),
    next_at timestamptz not null default '-infinity',
    next_bulk_at timestamptz not null default '-infinity',
    priority_at timestamptz not null default '-infinity',
    paused_until timestamptz not null default '-infinity',
    pull_at timestamptz not null default '-infinity',
    next_backfill_at timestamptz not null default '-infinity',
    taken bigint not null default 0,
    stepped_at timestamptz not null default '-infinity',
    slowed_at timestamptz not null default '-infinity',
    calm_seconds double precision not null default 0,
    hold_seconds double precision not null default 0,
    latency_floor_seconds double precision,
    told_per_minute numeric,
    primary key (account, family)
);
comment on table sync.call_budget is 'How fast Syrve may be called: one row an api login and family of operations, spent by all tasks together.';
comment on column sync.call_budget.account is 'Fingerprint of base URL and api login; the login itself is not kept.';
comment on column sync.call_budget.family is 'Operations that share the budget: customer, wallet, coupon, transactions or dictionary.';
comment on column sync.call_budget.calls_per_minute is
'The budget in force; change it and running tasks follow within seconds, until the connection''s own setting changes.';
comment on column sync.call_budget.configured_per_minute is 'What the connection''s budgets said last.';
comment on column sync.call_budget.cap_per_minute is
'Most that a budget which finds its own limit ("auto") may reach; null: the budget is what the connection says.';
comment on column sync.call_budget.reserved_share is 'Share of the budget that pulls leave to others while those have calls to make.';
comment on column sync.call_budget.next_at is 'First moment that is not given to a call yet.';
comment on column sync.call_budget.next_bulk_at is 'Moment until which pulls have used up their own share.';
comment on column sync.call_budget.priority_at is 'When something other than a pull last took a permit.';
comment on column sync.call_budget.paused_until is 'No call before this moment: Syrve answered 429.';
comment on column sync.call_budget.pull_at is 'When a scheduled pull last took a permit.';
comment on column sync.call_budget.next_backfill_at is 'Moment until which backfills have used up what is left to them.';
comment on column sync.call_budget.taken is 'Permits given since stepped_at; a budget that is not used up does not grow.';
comment on column sync.call_budget.stepped_at is 'When an automatic budget was last looked at.';
comment on column sync.call_budget.slowed_at is 'When an automatic budget was last made smaller.';
comment on column sync.call_budget.calm_seconds is 'Time in which an automatic budget was used up without a refusal since then.';
comment on column sync.call_budget.hold_seconds is 'Calm time after which it grows again; 0: Syrve has never refused, and it grows at once.';
comment on column sync.call_budget.latency_floor_seconds is 'Usual time of an answer; several times that counts as a sign of too many calls.';
comment on column sync.call_budget.told_per_minute is 'Budget of the last row of sync.call_budget_move.';

create table sync.call_budget_move (
    account text not null,
    family text not null,
    moved_at timestamptz not null,
    from_per_minute numeric not null,
    to_per_minute numeric not null,
    reason text not null check (reason in ('started', 'grown', 'refused', 'slow'))
);
create index call_budget_move_moved on sync.call_budget_move (account, family, moved_at);
comment on table sync.call_budget_move is 'Moves of the budgets that find their own limit: each step down, and each twentieth up.';
comment on column sync.call_budget_move.account is 'Fingerprint of base URL and api login.';
comment on column sync.call_budget_move.family is 'Operations that share the budget.';
comment on column sync.call_budget_move.moved_at is 'When it moved.';
comment on column sync.call_budget_move.from_per_minute is 'Calls per minute before.';
comment on column sync.call_budget_move.to_per_minute is 'Calls per minute after.';
comment on column sync.call_budget_move.reason is
'started; grown (no call was refused); refused (Syrve answered 429); slow (answers took several times as long as usual).';

-- Breakers: a change of too many customers at once is no longer believed. What a pull would delete is held back until a person decides; a mass change
-- of one field lands, and is told of.

create table sync.breaker_count (
    organization_id uuid not null,
    run_id text not null,
    kind text not null,
    field text not null default '',
    task text not null,
    map_index integer not null,
    looked bigint not null default 0 check (looked >= 0),
    affected bigint not null default 0 check (affected >= 0),
    counted_at timestamptz not null default now(),
    primary key (organization_id, run_id, kind, field, task, map_index)
);
create index breaker_count_of_day on sync.breaker_count (organization_id, kind, counted_at);
comment on table sync.breaker_count is 'How many customers each task of a run looked at or would write, and how many of them a change of one kind concerned.';
comment on column sync.breaker_count.organization_id is 'Organization concerned.';
comment on column sync.breaker_count.run_id is 'Airflow''s run id.';
comment on column sync.breaker_count.kind is 'Kind of change: customers_gone, field_changed or push.';
comment on column sync.breaker_count.field is 'Field that changed; empty where the kind has none.';
comment on column sync.breaker_count.task is 'DAG id and task id, with a dot between.';
comment on column sync.breaker_count.map_index is 'Index of the mapped task, -1 where it is not mapped.';
comment on column sync.breaker_count.looked is 'Customers looked at.';
comment on column sync.breaker_count.affected is 'Customers whom the change concerned.';
comment on column sync.breaker_count.counted_at is 'Last count of the task.';

create table sync.breaker (
    breaker_id bigint generated always as identity primary key,
    organization_id uuid not null,
    kind text not null,
    field text not null default '',
    run_id text not null,
    looked bigint not null,
    affected bigint not null,
    allowed bigint not null,
    tripped_at timestamptz not null default now(),
    alerted_at timestamptz,
    decision text check (decision in ('let_through', 'dropped', 'recovered', 'landed')),
    decided_at timestamptz,
    decided_by text,
    check ((decision is null) = (decided_at is null)),
    constraint breaker_names_who_decided check (coalesce(decision in ('let_through', 'dropped'), false) = (decided_by is not null))
);
create unique index breaker_undecided on sync.breaker (organization_id, kind, field) where decision is null;
create unique index breaker_landed on sync.breaker (organization_id, kind, field, run_id) where decision = 'landed';
comment on table sync.breaker is 'Changes of too many customers at once: what was held back until a person decides, and what landed and was told of.';
comment on column sync.breaker.breaker_id is 'Number to decide by: sync.let_through(breaker_id) or sync.drop_held_back(breaker_id).';
comment on column sync.breaker.organization_id is 'Organization concerned.';
comment on column sync.breaker.kind is 'Kind of change: customers_gone (newly deleted, not found, emptied or damaged), field_changed (by a pull), or push.';
comment on column sync.breaker.field is 'Field that changed; empty where the kind has none.';
comment on column sync.breaker.run_id is 'Run that tripped it first.';
comment on column sync.breaker.looked is 'Customers looked at in that run when it tripped.';
comment on column sync.breaker.affected is 'Customers whom the change concerned when it tripped.';
comment on column sync.breaker.allowed is 'How many would have been let through without a question.';
comment on column sync.breaker.tripped_at is 'When it tripped.';
comment on column sync.breaker.alerted_at is 'When people were told; once for each breaker.';
comment on column sync.breaker.decision is
'let_through or dropped (by a person), recovered (later answers showed every customer again), landed (nothing was held back); null: undecided.';
comment on column sync.breaker.decided_at is 'When it was decided.';
comment on column sync.breaker.decided_by is 'Login of the database that decided, as the server knows it; null where no person did.';

create table sync.held_back (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    breaker_id bigint not null references sync.breaker (breaker_id) on delete cascade,
    customer_id uuid not null,
    answer text not null check (answer in ('not_found', 'other_customer', 'deleted', 'emptied', 'damaged', 'no_wallets')),
    held_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    let_through_at timestamptz,
    primary key (organization_id, identity_kind, identity_value),
    -- What is taken off the roster is not looked up any more, and nothing would end its question.
    foreign key (organization_id, identity_kind, identity_value) references sync.roster on delete cascade
);
create index held_back_breaker on sync.held_back (breaker_id);
create index held_back_customer on sync.held_back (organization_id, customer_id);
comment on table sync.held_back is
'Answers that a breaker held back: the mirror still has these customers as they were. They are looked up again, later and later. Holds personal data.';
comment on column sync.held_back.organization_id is 'Organization concerned.';
comment on column sync.held_back.identity_kind is 'As in sync.roster.';
comment on column sync.held_back.identity_value is 'As in sync.roster.';
comment on column sync.held_back.breaker_id is 'Breaker that holds it.';
comment on column sync.held_back.customer_id is 'Customer whom the mirror has under this identity.';
comment on column sync.held_back.answer is
'What Syrve answered: not_found, other_customer (the identity leads to another customer), deleted, emptied (no personal field any more), damaged (letters of
a text were lost), or no_wallets (none any more).';
comment on column sync.held_back.held_at is 'When this breaker began to hold it: a decision counts for what it held when the person was asked.';
comment on column sync.held_back.last_seen_at is 'When Syrve last answered so.';
comment on column sync.held_back.let_through_at is 'When a person let it through: such answers are believed until the look-up by id says what became of the customer.';

create function sync.make_held_back_due(breaker bigint) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with locked as materialized (
        select roster.organization_id, roster.identity_kind, roster.identity_value
        from sync.roster as roster
        inner join sync.held_back as held using (organization_id, identity_kind, identity_value)
        where held.breaker_id = breaker
        order by roster.organization_id, roster.identity_kind, roster.identity_value
        for no key update of roster
    ),

    made_due as (
        update sync.roster as roster
        set due_at = now(), misses = 0
        from locked
        where
            (roster.organization_id, roster.identity_kind, roster.identity_value)
            = (locked.organization_id, locked.identity_kind, locked.identity_value)
        returning 1
    )

    select count(*) from made_due
$$;
comment on function sync.make_held_back_due(bigint) is 'Makes every identity that a breaker holds due now, in key order as every other writer of the roster.';

create function sync.carry_out_decision(breaker bigint, decision text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    due bigint := sync.make_held_back_due($1);
begin
    case $2
        when 'let_through' then
            update sync.held_back as held set let_through_at = now() where held.breaker_id = $1;
        when 'dropped' then
            delete from sync.held_back as held where held.breaker_id = $1;
    end case;
    return due;
end
$$;
comment on function sync.carry_out_decision(bigint, text) is
'Does with what a breaker holds back what was decided. Called by the functions that decide, as the owner. Returns how many are due.';

-- As the owner, because operations may decide, and may neither name another as who did, nor write breakers, held rows or the roster.
create function sync.let_through(breaker bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update sync.breaker as known
    set decision = 'let_through', decided_at = now(), decided_by = session_user
    where known.breaker_id = breaker and known.decision is null;
    if not found then
        raise exception 'breaker % is not undecided; see sync.breaker', breaker using errcode = 'no_data_found';
    end if;
    return sync.carry_out_decision(breaker, 'let_through');
end
$$;
comment on function sync.let_through(bigint) is
'Lets what a breaker holds back through: its customers are looked up again now, and what Syrve then answers is believed. Returns how many are due.';

-- As the owner, likewise.
create function sync.drop_held_back(breaker bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update sync.breaker as known
    set decision = 'dropped', decided_at = now(), decided_by = session_user
    where known.breaker_id = breaker and known.decision is null;
    if not found then
        raise exception 'breaker % is not undecided; see sync.breaker', breaker using errcode = 'no_data_found';
    end if;
    return sync.carry_out_decision(breaker, 'dropped');
end
$$;
comment on function sync.drop_held_back(bigint) is
'Drops what a breaker holds back: the mirror keeps its customers, who are looked up again now and counted from zero. Returns how many are due.';
