-- depends: 0017.wallet-campaigns
-- Approvals: what a person was asked to approve, by its digest, who asked, and who answered; append-only.

create table sync.approval (
    approval_id uuid primary key default gen_random_uuid(),
    kind text not null check (kind in ('topup', 'release', 'crm_push', 'erasure', 'breaker')),
    subject text not null check (subject <> ''),
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    rows bigint not null check (rows >= 0),
    amount numeric check (amount >= 0),
    dag_id text not null,
    run_id text not null,
    requested_by text not null,
    asked_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user,
    answer_until timestamptz,
    unique (approval_id, digest, requested_by)
);
create unique index approval_of_run on sync.approval (kind, dag_id, run_id, subject, digest);
create index approval_subject on sync.approval (kind, subject);
comment on table sync.approval is
'What a person was asked to approve: the content by its digest, and who asked for it. The answer is in approval_event; append-only.';
comment on column sync.approval.approval_id is 'Id of the question; Airflow''s options carry the first twelve digits of the digest.';
comment on column sync.approval.kind is 'What would be done: topup, release, crm_push, erasure or breaker.';
comment on column sync.approval.subject is 'What it is about: campaign and version, request_id of wallet.release, `plan N` for a plan of crm.push_plan, run_id of privacy.erasure, or breaker_id.';
comment on column sync.approval.digest is 'SHA-256 of the content, in hex: exactly this is approved, or nothing.';
comment on column sync.approval.rows is 'How many rows would be sent.';
comment on column sync.approval.amount is 'Their amounts together, in the wallets'' currency; null where no money moves.';
comment on column sync.approval.dag_id is 'DAG that asked.';
comment on column sync.approval.run_id is 'Airflow''s run that asked; an approval counts for this run only.';
comment on column sync.approval.requested_by is 'Airflow''s user who started the run; empty for a run by schedule or asset.';
comment on column sync.approval.asked_at is 'When it was asked.';
comment on column sync.approval.recorded_by is 'Login of the database that wrote the row; the other names are its word.';
comment on column sync.approval.answer_until is 'No answer after this counts; null where it waits without an end.';

-- What tasks hand on through Airflow's XComs can be changed there by other users: so what a run may ask about is said here, by the task that planned it.
create table sync.planned_content (
    kind text not null check (kind in ('topup', 'release', 'breaker')),
    dag_id text not null,
    run_id text not null,
    subject text not null check (subject <> ''),
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    planned_at timestamptz not null default clock_timestamp(),
    primary key (kind, dag_id, run_id, subject, digest)
);
comment on table sync.planned_content is
'What a run has planned: only about this may it ask a person. Pushes and erasures are planned under the id of their run, so they are not here; append-only.';
comment on column sync.planned_content.kind is 'What would be done: topup, release or breaker.';
comment on column sync.planned_content.dag_id is 'DAG that planned it.';
comment on column sync.planned_content.run_id is 'Airflow''s run that planned it.';
comment on column sync.planned_content.subject is 'What it is about, as in sync.approval.';
comment on column sync.planned_content.digest is 'SHA-256 of the content, in hex.';
comment on column sync.planned_content.planned_at is 'When.';

create function sync.refuse_question_of_another_run() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select
        from sync.planned_content as planned
        where
            (planned.kind, planned.dag_id, planned.run_id, planned.subject, planned.digest)
            = (new.kind, new.dag_id, new.run_id, new.subject, new.digest)
    ) then
        raise check_violation using
            message = 'the run asks about what it did not plan itself',
            hint = 'start another run',
            schema = tg_table_schema, table = tg_table_name, constraint = 'question_is_of_the_run_that_planned_it';
    end if;
    return new;
end
$$;
comment on function sync.refuse_question_of_another_run() is
'Keeps a run from asking about content of another run, whose people are others: one person could approve what they planned themselves.';

create trigger question_is_of_the_run_that_planned_it before insert on sync.approval
for each row when (new.kind in ('topup', 'release', 'breaker')) execute function sync.refuse_question_of_another_run();

create table sync.approval_event (
    approval_id uuid not null,
    sequence integer not null check (sequence > 0),
    state text not null check (state in ('approved', 'rejected', 'expired', 'not_needed', 'not_counted')),
    digest text not null,
    requested_by text not null,
    decided_by_id text,
    decided_by text,
    is_self_approval_allowed boolean not null default false,
    amount numeric check (amount >= 0),
    reason text,
    occurred_at timestamptz not null default clock_timestamp(),
    recorded_by text not null default session_user,
    primary key (approval_id, sequence),
    foreign key (approval_id, digest, requested_by) references sync.approval (approval_id, digest, requested_by),
    constraint approval_names_its_approver check (state <> 'approved' or (decided_by_id <> '' and decided_by_id is not null)),
    constraint approval_takes_two_people check (
        state <> 'approved'
        or is_self_approval_allowed
        or (
            lower(requested_by) <> lower(decided_by_id)
            and lower(requested_by) <> lower(coalesce(decided_by, ''))
        )
        or requested_by = ''
    )
);
create unique index approval_decided_once on sync.approval_event (approval_id) where state <> 'not_counted';
create index approval_approved_at on sync.approval_event (occurred_at) where state = 'approved';
comment on table sync.approval_event is
'Answers to questions; append-only. One decision each: approved, rejected, expired (no answer in time), or not_needed (nothing that needs a person). '
'Before it any number of answers that are not counted, such as of the one who asked.';
comment on column sync.approval_event.approval_id is 'Question answered.';
comment on column sync.approval_event.sequence is 'Counts from 1 without gaps.';
comment on column sync.approval_event.state is 'approved, rejected, expired, not_needed or not_counted; see the table.';
comment on column sync.approval_event.digest is 'Digest of the content that the answer is about: that of the question.';
comment on column sync.approval_event.requested_by is 'Who asked: that of the question.';
comment on column sync.approval_event.decided_by_id is 'Airflow''s id of the user who answered; null if no one did.';
comment on column sync.approval_event.decided_by is 'That user''s name in Airflow.';
comment on column sync.approval_event.is_self_approval_allowed is
'Whether SYRVE_SELF_APPROVAL let the one who asked approve; if not, an approval names two people.';
comment on column sync.approval_event.amount is 'Money approved, in the wallets'' currency: counts towards the limit of a day. Null where none moves.';
comment on column sync.approval_event.reason is 'Why it is not needed or not counted.';
comment on column sync.approval_event.occurred_at is 'When it was written.';
comment on column sync.approval_event.recorded_by is 'Login of the database that wrote the row; the other names are its word.';

create function sync.refuse_late_approval() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select
        from sync.approval as asked
        where asked.approval_id = new.approval_id and asked.answer_until < clock_timestamp()
    ) then
        raise check_violation using
            message = 'the approval came after the time in which the question could be answered',
            hint = 'start another run',
            schema = tg_table_schema, table = tg_table_name, constraint = 'approval_is_in_time';
    end if;
    return new;
end
$$;
comment on function sync.refuse_late_approval() is 'Keeps approvals out that came after answer_until, by the clock of the database.';

create trigger approval_is_in_time before insert on sync.approval_event
for each row when (new.state = 'approved') execute function sync.refuse_late_approval();

create view sync.approval_state as
select
    approval.approval_id,
    approval.kind,
    approval.subject,
    approval.digest,
    approval.rows,
    approval.amount,
    approval.dag_id,
    approval.run_id,
    approval.requested_by,
    approval.asked_at,
    approval.answer_until,
    coalesce(decision.state, 'asked') as state,
    decision.decided_by_id,
    decision.decided_by,
    decision.amount as approved_amount,
    decision.occurred_at as decided_at
from sync.approval as approval
left join sync.approval_event as decision on approval.approval_id = decision.approval_id and decision.state <> 'not_counted';
comment on view sync.approval_state is 'Questions with their decision: who asked, who answered, when.';
comment on column sync.approval_state.approval_id is 'Id of the question; Airflow''s options carry the first twelve digits of the digest.';
comment on column sync.approval_state.kind is 'What would be done: topup, release, crm_push, erasure or breaker.';
comment on column sync.approval_state.subject is 'What it is about: campaign and version, request_id of wallet.release, `plan N` for a plan of crm.push_plan, run_id of privacy.erasure, or breaker_id.';
comment on column sync.approval_state.digest is 'SHA-256 of the content, in hex: exactly this is approved, or nothing.';
comment on column sync.approval_state.rows is 'How many rows would be sent.';
comment on column sync.approval_state.amount is 'Their amounts together, in the wallets'' currency; null where no money moves.';
comment on column sync.approval_state.dag_id is 'DAG that asked.';
comment on column sync.approval_state.run_id is 'Airflow''s run that asked; an approval counts for this run only.';
comment on column sync.approval_state.requested_by is 'Airflow''s user who started the run; empty for a run by schedule or asset.';
comment on column sync.approval_state.asked_at is 'When it was asked.';
comment on column sync.approval_state.answer_until is 'No answer after this counts; null where it waits without an end.';
comment on column sync.approval_state.state is 'asked, approved, rejected, expired or not_needed.';
comment on column sync.approval_state.decided_by_id is 'Airflow''s id of the user who decided; null if no one did.';
comment on column sync.approval_state.decided_by is 'That user''s name in Airflow.';
comment on column sync.approval_state.approved_amount is 'Money approved, in the wallets'' currency.';
comment on column sync.approval_state.decided_at is 'When it was decided.';

-- A breaker is decided through Airflow only as a person saw it: what it holds by a moment, under an approval of the run.

alter table sync.breaker add column approval_id uuid references sync.approval (approval_id);
comment on column sync.breaker.approval_id is
'Approval of Airflow''s under which it was decided, which names the people; null: by the login itself (decided_by), or undecided.';

create function sync.breaker_digest(breaker bigint, decision text, as_of timestamptz) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
return encode(sha256(convert_to(concat_ws('|', breaker::text, decision, extract(epoch from as_of)::text), 'UTF8')), 'hex');
comment on function sync.breaker_digest(bigint, text, timestamptz) is
'Digest that an approval names: a decision about what a breaker holds by a moment.';

-- As the owner, because the DAGs may decide nothing: this does what the approval says, and only that.
create function sync.decide_breaker(breaker bigint, decision text, as_of timestamptz, dag_id text, run_id text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    approval record;
    known sync.breaker%rowtype;
    kept bigint;
begin
    select asked.approval_id into approval
    from sync.approval_state as asked
    where
        asked.kind = 'breaker'
        and asked.dag_id = $4
        and asked.run_id = $5
        and asked.subject = $1::text
        and asked.digest = sync.breaker_digest($1, $2, $3)
        and (asked.state = 'approved' or (asked.state = 'not_needed' and $2 = 'dropped'))
    limit 1;
    if not found then
        raise exception 'that breaker % is % was not approved in this run', $1, $2 using errcode = 'SY003';
    end if;
    select breaker_of.* into known from sync.breaker as breaker_of where breaker_of.breaker_id = $1 for update;
    if known.approval_id = approval.approval_id then
        return 0;
    end if;
    if known.breaker_id is null or known.decision is not null then
        raise exception 'breaker % is not undecided; see sync.breaker', $1 using errcode = 'no_data_found';
    end if;
    update sync.breaker as decided
    set decision = $2, decided_at = now(), decided_by = session_user, approval_id = approval.approval_id
    where decided.breaker_id = $1;
    -- What came after the question waits for a separate question.
    kept := (select count(*) from sync.held_back as held where held.breaker_id = $1 and held.held_at > $3)
        + (select count(distinct held.crm_id) from crm.push_held_back as held where held.breaker_id = $1 and held.held_at > $3);
    if kept > 0 then
        insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed)
        values (known.organization_id, known.kind, known.field, known.run_id, known.looked, kept, known.allowed)
        returning breaker_id into known.breaker_id;
        update sync.held_back as held set breaker_id = known.breaker_id where held.breaker_id = $1 and held.held_at > $3;
        update crm.push_held_back as held set breaker_id = known.breaker_id where held.breaker_id = $1 and held.held_at > $3;
    end if;
    return sync.carry_out_decision($1, $2);
end
$$;
comment on function sync.decide_breaker(bigint, text, timestamptz, text, text) is
'Lets through (let_through) or drops (dropped) what a breaker held by a moment, if a run has the approval of just that. '
'What it held later waits under a new breaker. Repeated, it does nothing. Returns how many identities are due.';

-- What was shown is what is sent: the content of a planned push never changes, and a plan about which a person was asked gets no more rows. Else a
-- task that has read the approval would send what came after it.
create function crm.refuse_other_content() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise check_violation using
        message = format('row %s of push plan %s can''t change its content', old.crm_id, old.plan_id),
        hint = 'plan the push again',
        schema = tg_table_schema, table = tg_table_name, constraint = 'push_plan_content_is_final';
end
$$;
comment on function crm.refuse_other_content() is 'Keeps the content of a planned row as it was planned, approved or not.';

create trigger content_is_final before update on crm.push_plan
for each row when (
    (old.plan_id, old.crm_id, old.organization_id, old.action, old.phone, old.changes, old.let_through)
    is distinct from (new.plan_id, new.crm_id, new.organization_id, new.action, new.phone, new.changes, new.let_through)
    -- A creation tells the customer's id.
    or (old.customer_id is not null and old.customer_id is distinct from new.customer_id)
) execute function crm.refuse_other_content();

create function crm.refuse_rows_once_asked() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    plan bigint;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise invalid_transaction_state using message = 'push plans are written in transactions that are read committed';
    end if;
    for plan in select distinct planned.plan_id from added as planned order by 1 loop
        perform pg_advisory_xact_lock_shared(hashtextextended('crm.push_plan ' || plan, 0));
        if exists (select from sync.approval as asked where asked.kind = 'crm_push' and asked.subject = 'plan ' || plan) then
            raise check_violation using
                message = format('push plan %s gets no more rows: a person was asked about it', plan),
                hint = 'plan the push again',
                schema = tg_table_schema, table = tg_table_name, constraint = 'push_plan_asked_is_final';
        end if;
    end loop;
    return null;
end
$$;
comment on function crm.refuse_rows_once_asked() is
'Keeps rows out of a push plan about which a person was asked. Read committed, so that it sees what was asked while it waited for its lock.';

create trigger asked_is_final after insert on crm.push_plan
referencing new table as added
for each statement execute function crm.refuse_rows_once_asked();

create function sync.wait_for_push_plan() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('crm.push_plan ' || substr(new.subject, 6), 0));
    return new;
end
$$;
comment on function sync.wait_for_push_plan() is 'Waits for a transaction that is adding rows to a push plan, before a person is asked about it.';

create trigger wait_for_push_plan before insert on sync.approval
for each row when (new.kind = 'crm_push') execute function sync.wait_for_push_plan();
