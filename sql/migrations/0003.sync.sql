-- depends: 0002.mirror

create sequence sync.lease_id as integer cycle;
comment on sequence sync.lease_id is 'Numbers of leases; the holder keeps an advisory lock of that number while it lives.';

create table sync.roster (
    organization_id uuid not null,
    identity_kind text not null check (identity_kind in ('phone', 'id', 'card')),
    identity_value text not null,
    source text not null,
    received_value text,
    priority smallint not null default 0,
    due_at timestamptz not null default now(),
    checked_at timestamptz,
    outcome text check (outcome in ('found', 'not_found', 'rejected', 'failed')),
    customer_id uuid,
    misses integer not null default 0,
    refresh_seconds integer,
    lease integer,
    leased_until timestamptz,
    added_at timestamptz not null default now(),
    primary key (organization_id, identity_kind, identity_value)
);
create index roster_due on sync.roster (organization_id, priority desc, due_at);
create index roster_customer on sync.roster (organization_id, customer_id) where customer_id is not null;
comment on table sync.roster is 'Identities to look up: Syrve has no list of customers, so the pull walks this one. A row needs only its key and source.';
comment on column sync.roster.organization_id is 'Organization to ask; it may not have been seen yet.';
comment on column sync.roster.identity_kind is 'What the value is: phone, id or card.';
comment on column sync.roster.identity_value is 'Phone as E.164, customer id, or card track.';
comment on column sync.roster.source is 'Where the identity came from, such as crm, file or query.';
comment on column sync.roster.received_value is 'The value as it was received, where it was put into another form.';
comment on column sync.roster.priority is 'Higher ones are looked up first.';
comment on column sync.roster.due_at is 'When the next look-up is due.';
comment on column sync.roster.checked_at is 'Time of the last answer: a customer found then was at least as fresh.';
comment on column sync.roster.outcome is 'How the last look-up ended: found, not_found, rejected (record unusable) or failed (no answer).';
comment on column sync.roster.customer_id is 'Customer last found under this identity.';
comment on column sync.roster.misses is 'Look-ups in a row that did not end with found.';
comment on column sync.roster.refresh_seconds is 'Present distance between look-ups: grows while nothing changes, falls back when something does.';
comment on column sync.roster.lease is 'Task that is looking this identity up now; dead once its advisory lock is gone.';
comment on column sync.roster.leased_until is 'When the lease ends whatever its holder does.';
comment on column sync.roster.added_at is 'When the identity was added.';

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
    seconds numeric not null default 0,
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
comment on column sync.run.rejected is 'Records that could not be taken in; see sync.reject.';
comment on column sync.run.failed is 'Look-ups that got no usable answer in time; they are due again.';
comment on column sync.run.cleaned is 'Fields that were put right on the way in.';
comment on column sync.run.calls is 'Requests sent to Syrve, repeats included.';
comment on column sync.run.retries is 'Requests that had to be repeated.';
comment on column sync.run.rate_limited is 'Answers with status 429.';
comment on column sync.run.seconds is 'Time that the task worked, all tries together.';
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
comment on table sync.reject is 'What could not be taken in, whole records or single fields; open until resolved_at is set. Holds personal data.';
comment on column sync.reject.reject_id is 'Number of the reject.';
comment on column sync.reject.run_id is 'Run that met it last.';
comment on column sync.reject.entity is 'What it is: customer, coupon_series, coupon, roster, or organization (passed over as a whole).';
comment on column sync.reject.organization_id is 'Organization concerned, where known.';
comment on column sync.reject.identity is 'Key under which it was looked up or offered.';
comment on column sync.reject.stage is 'Where it was stopped: look_up (whole answer), field (one field of a record that was taken in), import, or a call''s name.';
comment on column sync.reject.reason is 'What is wrong, by field and problem; holds no value.';
comment on column sync.reject.payload is 'What was received, cut to a sensible size.';
comment on column sync.reject.occurrences is 'How many times it has come like this.';
comment on column sync.reject.first_seen_at is 'First time.';
comment on column sync.reject.last_seen_at is 'Last time.';
comment on column sync.reject.resolved_at is 'Set by itself when the same identity is taken in without this problem, or by a person.';

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
