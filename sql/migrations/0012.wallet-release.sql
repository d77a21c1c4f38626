-- depends: 0011.wallet-findings
-- Releases: what a person was shown, what they decided about each hold, and the outcome; append-only.

create table wallet.release (
    release_id uuid primary key default gen_random_uuid(),
    request_id uuid not null,
    run_id text not null,
    place integer not null check (place > 0),
    hold_id uuid not null,
    transaction_id uuid not null,
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    amount numeric not null,
    hold_state text not null,
    opened_at timestamptz not null,
    order_id text,
    order_state text,
    rules text[] not null,
    severity text not null,
    findings jsonb not null check (jsonb_typeof(findings) = 'array' and findings <> '[]'),
    asked_at timestamptz not null default clock_timestamp(),
    answer_until timestamptz not null,
    unique (request_id, place),
    unique (request_id, hold_id)
);
create index release_hold on wallet.release (hold_id);
create index release_run on wallet.release (run_id);
comment on table wallet.release is
'Holds that a person was asked about, each as it was shown: exactly this is released, or nothing. What became of it is in release_event; append-only.';
comment on column wallet.release.release_id is 'Id of the hold in the question.';
comment on column wallet.release.request_id is 'The question: its holds are answered together.';
comment on column wallet.release.run_id is 'Airflow''s run that asked.';
comment on column wallet.release.place is 'Number of the hold in the question, from 1.';
comment on column wallet.release.hold_id is 'Hold: hold_id of wallet.hold.';
comment on column wallet.release.transaction_id is 'Syrve''s id of the hold, as it was known.';
comment on column wallet.release.organization_id is 'Organization whose wallet it is.';
comment on column wallet.release.customer_id is 'Customer whose money it is.';
comment on column wallet.release.wallet_id is 'Wallet of the customer.';
comment on column wallet.release.amount is 'Money set aside, as shown, in the wallet''s currency.';
comment on column wallet.release.hold_state is 'State of the hold, as shown: sent, confirmed or unknown.';
comment on column wallet.release.opened_at is 'When the hold was sent; its age is asked_at minus this.';
comment on column wallet.release.order_id is 'Order that it was made for.';
comment on column wallet.release.order_state is 'State of the order, as shown; null where none was reported.';
comment on column wallet.release.rules is 'Rules of the findings about this hold that were shown.';
comment on column wallet.release.severity is 'Highest severity of these findings.';
comment on column wallet.release.findings is 'These findings as they were: finding_id, rule, severity, status, version, amount_at_risk.';
comment on column wallet.release.asked_at is 'When it was put into the question.';
comment on column wallet.release.answer_until is 'An answer counts until then; later the hold may be asked about again.';

create table wallet.release_event (
    release_id uuid not null references wallet.release,
    sequence integer not null check (sequence > 0),
    state text not null check (
        state in ('asked', 'approved', 'kept', 'left', 'expired', 'withdrawn', 'released', 'refused', 'unsettled')
    ),
    occurred_at timestamptz not null default clock_timestamp(),
    decided_by text,
    operation_id uuid,
    evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object'),
    run_id text,
    recorded_by text not null default session_user,
    primary key (release_id, sequence)
);
create unique index release_event_decided_once on wallet.release_event (release_id)
where state in ('approved', 'kept', 'left', 'expired', 'withdrawn');
create unique index release_event_ended_once on wallet.release_event (release_id) where state in ('released', 'refused');
comment on table wallet.release_event is
'What happened to each hold of a question, in order; append-only. asked, then one decision: approved; kept (left alone, and its findings acknowledged); '
'left (not chosen); expired (no answer in time); withdrawn (asked again by the same run). After approved: released, refused, or unsettled as long '
'as evidence is missing.';
comment on column wallet.release_event.release_id is 'Hold of a question concerned.';
comment on column wallet.release_event.sequence is 'Counts from 1 without gaps.';
comment on column wallet.release_event.state is 'asked, approved, kept, left, expired, withdrawn, released, refused or unsettled; see the table.';
comment on column wallet.release_event.occurred_at is 'When it was written.';
comment on column wallet.release_event.decided_by is 'Airflow''s user who decided.';
comment on column wallet.release_event.operation_id is 'Cancellation of the ledger; the same for every question about the same hold.';
comment on column wallet.release_event.evidence is
'What it rests on: reason, code, missing, balance_before, balance_after, transactions; never personal data.';
comment on column wallet.release_event.run_id is 'Airflow''s run that wrote it.';
comment on column wallet.release_event.recorded_by is 'Login of the database that wrote the row; decided_by is its word.';

create view wallet.release_state as
select
    release.release_id,
    release.request_id,
    release.run_id,
    release.place,
    release.hold_id,
    release.organization_id,
    release.customer_id,
    release.wallet_id,
    release.amount,
    release.opened_at,
    release.order_id,
    release.rules,
    release.severity,
    release.asked_at,
    release.answer_until,
    latest.state,
    latest.sequence,
    latest.occurred_at as state_at,
    decision.decided_by,
    latest.operation_id,
    latest.evidence
from wallet.release as release
cross join
    lateral (
        select
            event.state,
            event.sequence,
            event.occurred_at,
            event.operation_id,
            event.evidence
        from wallet.release_event as event
        where event.release_id = release.release_id
        order by event.sequence desc
        limit 1
    ) as latest
left join lateral (
    select event.decided_by
    from wallet.release_event as event
    where event.release_id = release.release_id and event.state in ('approved', 'kept', 'left', 'expired', 'withdrawn')
) as decision on true;
comment on view wallet.release_state is 'Holds that a person was asked about, with the last thing that happened to each and who decided.';
comment on column wallet.release_state.state is 'State of the last event.';
comment on column wallet.release_state.sequence is 'Number of the last event.';
comment on column wallet.release_state.state_at is 'When the last event was written.';
comment on column wallet.release_state.decided_by is 'Airflow''s user who decided; null if no one did.';
comment on column wallet.release_state.operation_id is 'Cancellation of the ledger, of the last event.';
comment on column wallet.release_state.evidence is 'What the last event rests on.';

-- Columns of views say what they say in the tables.
do $$
declare
    described record;
begin
    for described in
        select
            attribute.attname as column_name,
            col_description(tabled.oid, source.attnum) as description
        from pg_class as viewed
        inner join pg_class as tabled on tabled.relname = 'release' and tabled.relnamespace = 'wallet'::regnamespace
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        inner join pg_attribute as source on tabled.oid = source.attrelid and attribute.attname = source.attname
        where
            viewed.relname = 'release_state'
            and viewed.relnamespace = 'wallet'::regnamespace
            and col_description(viewed.oid, attribute.attnum) is null
    loop
        execute format('comment on column wallet.release_state.%I is %L', described.column_name, described.description);
    end loop;
end
$$;
