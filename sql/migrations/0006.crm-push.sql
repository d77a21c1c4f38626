-- depends: 0005.crm
-- How the desired states of the CRM get to Syrve: what both sides agreed on, plans, attempts, and what waits.

create table crm.push_state (
    crm_id bigint primary key,
    organization_id uuid not null,
    customer_id uuid,
    phone_read text,
    phone text,
    link_phone text,
    joined_to bigint,
    joined_fields jsonb,
    agreed jsonb not null default '{}',
    agreed_version bigint not null default 0,
    pushed jsonb,
    pushed_at timestamptz,
    settled_edit timestamptz,
    settled_memberships timestamptz,
    settled_mirror timestamptz,
    is_settled boolean not null default false,
    unsure_phone text,
    unsure_at timestamptz,
    failures integer not null default 0,
    refusals integer not null default 0,
    refusal text,
    tried_edit timestamptz,
    tried_memberships timestamptz,
    retry_at timestamptz,
    lease integer,
    leased_until timestamptz
);
create index push_state_phone on crm.push_state (organization_id, phone) where phone is not null;
create index push_state_pushed on crm.push_state (crm_id) where pushed is not null;
comment on table crm.push_state is 'What is known about each row of crm.customer on its way to Syrve. Written by the DAGs. Holds personal data.';
comment on column crm.push_state.crm_id is 'The CRM''s number of the customer.';
comment on column crm.push_state.organization_id is 'Organization of the row when it was last looked at.';
comment on column crm.push_state.customer_id is 'Customer in Syrve whom the agreement is about.';
comment on column crm.push_state.phone_read is 'Region and phone of the CRM that the next column was read from.';
comment on column crm.push_state.phone is 'That phone as E.164; null where it is no possible number.';
comment on column crm.push_state.link_phone is
'Phone by which the mirror linked the row to its customer; null once a look-up under it has confirmed that, or where the id came otherwise.';
comment on column crm.push_state.joined_to is 'Row about the same customer that is pushed instead of this one and takes over what is written here.';
comment on column crm.push_state.joined_fields is 'What this row said when it was last taken over, as in crm.desired_state.';
comment on column crm.push_state.agreed is
'Agreed base: the value of each managed field that both sides last had, or that Syrve acknowledged. Keys are fields; category:ID, card:TRACK, program:ID.';
comment on column crm.push_state.agreed_version is
'Moves with every change of the agreement that a push makes; compared by every statement that writes the agreement.';
comment on column crm.push_state.pushed is 'What was acknowledged and has not been seen in a look-up yet: {field: {from, to}}.';
comment on column crm.push_state.pushed_at is 'Last acknowledgement.';
comment on column crm.push_state.settled_edit is 'edited_at of the row when there was last nothing to push for it.';
comment on column crm.push_state.settled_memberships is 'memberships_edited_at then.';
comment on column crm.push_state.settled_mirror is 'fetched_at of the customer in the mirror then.';
comment on column crm.push_state.is_settled is 'Whether there is nothing to push as long as those three and the ids stay.';
comment on column crm.push_state.unsure_phone is 'Phone under which a creation was sent whose answer is not known yet.';
comment on column crm.push_state.unsure_at is 'When that was sent.';
comment on column crm.push_state.failures is 'Failures in a row that may pass by themselves.';
comment on column crm.push_state.refusals is 'Refusals of the same kind in a row.';
comment on column crm.push_state.refusal is 'Kind of the last refusal: operation and code.';
comment on column crm.push_state.tried_edit is 'edited_at of the row that failed or was refused.';
comment on column crm.push_state.tried_memberships is 'memberships_edited_at of that row.';
comment on column crm.push_state.retry_at is 'When the row goes again, unless its data change first.';
comment on column crm.push_state.lease is 'Task that is sending this row now; dead once its advisory lock is gone.';
comment on column crm.push_state.leased_until is 'When the lease ends at the latest.';

create sequence crm.push_plan_id as bigint;
comment on sequence crm.push_plan_id is 'Numbers of push plans.';

create table crm.push_plan_summary (
    plan_id bigint primary key,
    run_id text not null,
    is_dry_run boolean not null,
    considered bigint not null,
    creates bigint not null,
    updates bigint not null,
    memberships bigint not null,
    conflicts bigint not null,
    asking bigint not null,
    refused bigint not null,
    waiting bigint not null,
    agreed bigint not null,
    fields jsonb not null,
    held_back bigint not null default 0,
    planned_at timestamptz not null default now()
);
create index push_plan_summary_run on crm.push_plan_summary (run_id);
comment on table crm.push_plan_summary is 'What each push plan came to, as counts.';
comment on column crm.push_plan_summary.plan_id is 'Number of the plan.';
comment on column crm.push_plan_summary.run_id is 'Airflow''s run id.';
comment on column crm.push_plan_summary.is_dry_run is 'Whether the plan was only to be looked at.';
comment on column crm.push_plan_summary.considered is 'Rows that had changed on either side, or were still open.';
comment on column crm.push_plan_summary.creates is 'Customers to create.';
comment on column crm.push_plan_summary.updates is 'Customers whose fields are to change.';
comment on column crm.push_plan_summary.memberships is 'Categories, cards and programmes to add or remove.';
comment on column crm.push_plan_summary.conflicts is 'Fields on which CRM and Syrve differ by more than one side''s change.';
comment on column crm.push_plan_summary.asking is 'Those of them that wait for a person.';
comment on column crm.push_plan_summary.refused is 'Rows that cannot be pushed as they are; see crm.push_blocked.';
comment on column crm.push_plan_summary.waiting is 'Rows whose customer must be looked up first.';
comment on column crm.push_plan_summary.agreed is 'Rows that became agreed, or stay so, without a call.';
comment on column crm.push_plan_summary.fields is 'How many planned customers have a change of each field, by field name.';
comment on column crm.push_plan_summary.held_back is 'Rows held back, because one field of too many customers would change: crm.push_held_back.';
comment on column crm.push_plan_summary.planned_at is 'When the plan was made.';

create table crm.push_plan (
    plan_id bigint not null,
    crm_id bigint not null,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    action text not null check (action in ('create', 'update', 'memberships')),
    changes jsonb not null,
    edited_at timestamptz not null,
    memberships_edited_at timestamptz,
    agreed_version bigint not null,
    state text not null default 'planned' check (state in ('planned', 'pushed', 'linked', 'stale', 'failed', 'refused')),
    reason text,
    acknowledged text[] not null default '{}',
    let_through text[] not null default '{}',
    attempt jsonb,
    finished_at timestamptz,
    primary key (plan_id, crm_id)
);
create index push_plan_attempt on crm.push_plan (organization_id) where attempt is not null;
create index push_plan_sent on crm.push_plan (organization_id, finished_at) where acknowledged <> '{}';
create index push_plan_open on crm.push_plan (plan_id, organization_id, crm_id) where state = 'planned';
comment on table crm.push_plan is 'The exact change of each customer that a plan sends, and the outcome. Holds personal data.';
comment on column crm.push_plan.plan_id is 'Number of the plan.';
comment on column crm.push_plan.crm_id is 'The CRM''s number of the customer.';
comment on column crm.push_plan.organization_id is 'Organization in which the customer is kept.';
comment on column crm.push_plan.customer_id is 'Syrve''s id of the customer; null for one to create.';
comment on column crm.push_plan.phone is 'Phone as E.164, by which a new customer is looked for and created.';
comment on column crm.push_plan.action is 'create, update (of fields, and memberships if any), or memberships alone.';
comment on column crm.push_plan.changes is '{field: {from: what the mirror has, to: what is sent}}; to null empties the field.';
comment on column crm.push_plan.edited_at is 'Version of the CRM''s row that was planned; another one is not sent.';
comment on column crm.push_plan.memberships_edited_at is 'Version of its memberships that was planned.';
comment on column crm.push_plan.agreed_version is 'Version of the agreement that was planned.';
comment on column crm.push_plan.state is
'planned; pushed; linked (a new customer turned out to exist: compared once looked up); stale (something moved: planned again); failed; refused.';
comment on column crm.push_plan.reason is 'Why it is stale, failed or refused; holds no value.';
comment on column crm.push_plan.acknowledged is 'Keys of changes that Syrve has acknowledged.';
comment on column crm.push_plan.let_through is 'Keys of changes that a breaker had held back and a person let through: they count for no other breaker.';
comment on column crm.push_plan.attempt is 'The call under way: operation, step, field names, start. Left behind by a task that died in the middle.';
comment on column crm.push_plan.finished_at is 'When the row left the state planned.';

create table crm.push (
    push_id bigint generated always as identity primary key,
    plan_id bigint not null,
    crm_id bigint not null,
    organization_id uuid not null,
    customer_id uuid,
    step integer not null,
    operation text not null,
    fields text[] not null,
    outcome text not null check (outcome in ('acknowledged', 'found', 'not_found', 'refused', 'failed', 'interrupted')),
    status integer,
    code text,
    correlation_id text,
    requests integer,
    seconds numeric,
    run_id text not null,
    attempted_at timestamptz not null,
    recorded_at timestamptz not null default now()
);
create index push_of_plan on crm.push (plan_id, crm_id);
create index push_of_customer on crm.push (crm_id, push_id);
comment on table crm.push is 'Every attempt to push, with its outcome; append-only for the DAGs. Holds field names and no values.';
comment on column crm.push.push_id is 'Number of the attempt, in the order in which outcomes were written.';
comment on column crm.push.plan_id is 'Plan that was applied.';
comment on column crm.push.crm_id is 'The CRM''s number of the customer; below zero: of a person who was erased.';
comment on column crm.push.organization_id is 'Organization in which the customer is kept.';
comment on column crm.push.customer_id is 'Syrve''s id of the customer, as known after the attempt.';
comment on column crm.push.step is 'Which step of the row: 0 the customer itself, then its memberships.';
comment on column crm.push.operation is 'Operation by its name in the endpoint table, such as create_or_update; customer_info is the look-up before a creation.';
comment on column crm.push.fields is 'Names of the fields that were sent.';
comment on column crm.push.outcome is
'acknowledged; found or not_found (look-ups); refused; failed (may pass by itself); interrupted (the task died: unknown whether it was applied).';
comment on column crm.push.status is 'HTTP status, where there was an answer that was an error.';
comment on column crm.push.code is 'The service''s own code, where it gave one.';
comment on column crm.push.correlation_id is 'What to quote to Syrve''s support, where the service gave it.';
comment on column crm.push.requests is 'Requests that the attempt took, repeats included; null where the task died.';
comment on column crm.push.seconds is 'How long it took.';
comment on column crm.push.run_id is 'Airflow''s run id.';
comment on column crm.push.attempted_at is 'When the attempt began.';
comment on column crm.push.recorded_at is 'When its outcome was written.';

create table crm.push_held_back (
    crm_id bigint not null,
    key text not null,
    field text not null generated always as (split_part(key, ':', 1)) stored,
    organization_id uuid not null,
    customer_id uuid,
    breaker_id bigint not null references sync.breaker (breaker_id) on delete cascade,
    wanted text,
    held_at timestamptz not null default now(),
    primary key (crm_id, key)
);
create index push_held_back_breaker on crm.push_held_back (breaker_id);
comment on table crm.push_held_back is
'Changes that a breaker held back, because one field of too many customers would change at once: sync.breaker says what was decided. Holds personal data.';
comment on column crm.push_held_back.crm_id is 'The CRM''s number of the customer.';
comment on column crm.push_held_back.key is 'Field; or category:ID, card:TRACK, program:ID.';
comment on column crm.push_held_back.field is 'Field; category, card or program for a membership, without its id.';
comment on column crm.push_held_back.organization_id is 'Organization in which the customer is kept.';
comment on column crm.push_held_back.customer_id is 'Syrve''s id of the customer whom it would change; a decision holds for this one only.';
comment on column crm.push_held_back.breaker_id is 'Breaker that holds it, or held it.';
comment on column crm.push_held_back.wanted is 'What the CRM wants there; a decision holds for this value only.';
comment on column crm.push_held_back.held_at is 'When this breaker began to hold this value back: a decision counts for what it held when the person was asked.';

create table crm.push_blocked (
    crm_id bigint primary key,
    organization_id uuid not null,
    stage text not null check (stage in ('plan', 'apply')),
    operation text,
    code text,
    reason text not null,
    times integer not null,
    edited_at timestamptz not null,
    memberships_edited_at timestamptz,
    mirror_fetched_at timestamptz,
    run_id text not null,
    blocked_at timestamptz not null default now()
);
comment on table crm.push_blocked is
'Rows that wait: they cannot be pushed as they are, or Syrve refused them the same way repeatedly. Delete a row to release it.';
comment on column crm.push_blocked.crm_id is 'The CRM''s number of the customer.';
comment on column crm.push_blocked.organization_id is 'Organization in which the customer is kept.';
comment on column crm.push_blocked.stage is 'plan: found unfit before any call. apply: refused by Syrve.';
comment on column crm.push_blocked.operation is 'Operation that was refused.';
comment on column crm.push_blocked.code is 'The service''s own code of the refusal.';
comment on column crm.push_blocked.reason is 'What is wrong; holds no value.';
comment on column crm.push_blocked.times is 'How many times it was refused like this.';
comment on column crm.push_blocked.edited_at is 'Version of the CRM''s row; it goes again by itself once this moves.';
comment on column crm.push_blocked.memberships_edited_at is 'Version of its memberships, likewise.';
comment on column crm.push_blocked.mirror_fetched_at is 'Version of the customer in the mirror, likewise; of their profile alone at stage apply.';
comment on column crm.push_blocked.run_id is 'Run that blocked it.';
comment on column crm.push_blocked.blocked_at is 'Since when it waits.';

create table crm.conflict (
    conflict_id bigint generated always as identity primary key,
    crm_id bigint not null,
    organization_id uuid not null,
    customer_id uuid not null,
    field text not null,
    crm_value text,
    syrve_value text,
    agreed_value text,
    policy text not null,
    outcome text not null check (outcome in ('crm', 'syrve', 'waits')),
    decision text check (decision in ('crm', 'syrve')),
    found_at timestamptz not null default now(),
    closed_at timestamptz
);
create unique index conflict_open on crm.conflict (crm_id, field) where closed_at is null;

create function crm.refuse_late_decision() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise check_violation using message = format('conflict %s is closed: its decision stays', old.conflict_id);
end
$$;
comment on function crm.refuse_late_decision() is 'Keeps the decision of a closed conflict, which is a record by then.';

create trigger decision_is_final before update on crm.conflict
for each row when (old.closed_at is not null and new.decision is distinct from old.decision) execute function crm.refuse_late_decision();

comment on table crm.conflict is
'Fields that both sides changed, or on which they differ and never agreed. Open until they agree or one of them changes. Holds personal data.';
comment on column crm.conflict.conflict_id is 'Number of the conflict.';
comment on column crm.conflict.crm_id is 'The CRM''s number of the customer.';
comment on column crm.conflict.organization_id is 'Organization in which the customer is kept.';
comment on column crm.conflict.customer_id is 'Syrve''s id of the customer.';
comment on column crm.conflict.field is 'Field; or category:ID, card:TRACK, program:ID.';
comment on column crm.conflict.crm_value is 'What the CRM wants; null: to empty the field.';
comment on column crm.conflict.syrve_value is 'What Syrve has.';
comment on column crm.conflict.agreed_value is 'What both last agreed on, if anything.';
comment on column crm.conflict.policy is 'Policy of the field when it was last judged.';
comment on column crm.conflict.outcome is 'Who wins: crm (it is pushed), syrve (nothing is pushed), or it waits for a decision.';
comment on column crm.conflict.decision is 'Set by a person: crm or syrve. Holds against any policy, for these two values.';
comment on column crm.conflict.found_at is 'When it was found.';
comment on column crm.conflict.closed_at is 'When the two agreed, or one of the values changed.';

create view crm.conflict_masked as
select
    conflict_id,
    crm_id,
    organization_id,
    customer_id,
    case when field like 'card:%' then 'card:' || repeat('*', greatest(length(field) - 7, 0)) || right(field, 2) else field end as field,
    case when is_shown then crm_value end as crm_value,
    case when is_shown then syrve_value end as syrve_value,
    case when is_shown then agreed_value end as agreed_value,
    policy,
    outcome,
    decision,
    found_at,
    closed_at
from (
    select
        known.*,
        known.field in ('sex', 'receives_order_status', 'receives_promo')
        or split_part(known.field, ':', 1) in ('category', 'card', 'program') as is_shown
    from crm.conflict as known
) as seen;
comment on view crm.conflict_masked is
'Conflicts for operations: the values of consents, sex and memberships; of names, phones, e-mail addresses and birthdays that they differ.';
comment on column crm.conflict_masked.conflict_id is 'Number of the conflict.';
comment on column crm.conflict_masked.crm_id is 'The CRM''s number of the customer.';
comment on column crm.conflict_masked.organization_id is 'Organization in which the customer is kept.';
comment on column crm.conflict_masked.customer_id is 'Syrve''s id of the customer.';
comment on column crm.conflict_masked.field is 'Field; or category:ID, program:ID, and of card:TRACK the end of the track.';
comment on column crm.conflict_masked.crm_value is 'What the CRM wants, where that tells of no person.';
comment on column crm.conflict_masked.syrve_value is 'What Syrve has, likewise.';
comment on column crm.conflict_masked.agreed_value is 'What both last agreed on, likewise.';
comment on column crm.conflict_masked.policy is 'Policy of the field when it was last judged.';
comment on column crm.conflict_masked.outcome is 'Who wins: crm, syrve, or it waits for a decision.';
comment on column crm.conflict_masked.decision is 'Set by a person in crm.conflict: crm or syrve.';
comment on column crm.conflict_masked.found_at is 'When it was found.';
comment on column crm.conflict_masked.closed_at is 'When the two agreed, or one of the values changed.';

create table crm.remote_change (
    crm_id bigint not null,
    field text not null,
    organization_id uuid not null,
    customer_id uuid not null,
    crm_value text,
    syrve_value text,
    seen_at timestamptz not null,
    primary key (crm_id, field)
);
comment on table crm.remote_change is
'What changed in Syrve and not in the CRM, for the CRM to take over or to overrule by an edit. Own pushes are not in it. Holds personal data.';
comment on column crm.remote_change.crm_id is 'The CRM''s number of the customer.';
comment on column crm.remote_change.field is 'Field; or category:ID, card:TRACK, program:ID.';
comment on column crm.remote_change.organization_id is 'Organization in which the customer is kept.';
comment on column crm.remote_change.customer_id is 'Syrve''s id of the customer.';
comment on column crm.remote_change.crm_value is 'What the CRM still has, as it was agreed.';
comment on column crm.remote_change.syrve_value is 'What Syrve has now.';
comment on column crm.remote_change.seen_at is 'Time of the answer that showed it.';

create function crm.written_text(text) returns text
language sql
immutable
parallel safe
return nullif(
    btrim(
        $1,
        E'\u0009\u000a\u000b\u000c\u000d\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008'
        '\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff'
    ),
    ''
);
comment on function crm.written_text(text) is 'A text without white space and invisible characters around it; null where nothing else is in it.';

-- What the CRM wants and what Syrve has, in the same terms: the two sides that a plan compares.
create view crm.desired_state as
select
    desired.crm_id,
    desired.organization_id,
    desired.customer_id,
    jsonb_strip_nulls(
        jsonb_build_object(
            'phone', known.phone,
            'name', crm.written_text(desired.name),
            'surname', crm.written_text(desired.surname),
            'middle_name', crm.written_text(desired.middle_name),
            'email', crm.written_text(desired.email),
            'birthday', desired.birthday::text,
            'sex', desired.sex,
            'receives_order_status', desired.receives_order_status::text,
            'receives_promo', desired.receives_promo::text
        )
    )
    || case
        when desired.clear = '{}' then '{}'
        else coalesce((select jsonb_object_agg(cleared.field, null) from unnest(desired.clear) as cleared (field)), '{}')
    end
    || case
        when desired.memberships_edited_at is null then '{}' -- kept by triggers: it never had a membership
        else
            coalesce(
                (
                    select jsonb_object_agg('category:' || membership.category_id, membership.wanted::text)
                    from crm.customer_category as membership
                    where membership.crm_id = desired.crm_id
                ),
                '{}'
            )
            || coalesce(
                (
                    select jsonb_object_agg('card:' || membership.track, membership.wanted::text)
                    from crm.customer_card as membership
                    where membership.crm_id = desired.crm_id
                ),
                '{}'
            )
            || coalesce(
                (
                    select jsonb_object_agg('program:' || membership.program_id, 'true')
                    from crm.customer_program as membership
                    where membership.crm_id = desired.crm_id
                ),
                '{}'
            )
    end as fields
from crm.customer as desired
left join crm.push_state as known on desired.crm_id = known.crm_id;
comment on view crm.desired_state is
'What the CRM wants, as {field: value}: a field that is not there is not managed, null is to be emptied. Blank text counts as null.';
comment on column crm.desired_state.crm_id is 'The CRM''s number of the customer.';
comment on column crm.desired_state.organization_id is 'Organization in which the customer is kept.';
comment on column crm.desired_state.customer_id is 'Syrve''s id, once known.';
comment on column crm.desired_state.fields is 'Values by field; memberships as category:ID, card:TRACK, program:ID with true or false.';

create view crm.syrve_state as
select
    mirrored.organization_id,
    mirrored.customer_id,
    mirrored.fetched_at,
    mirrored.profile_changed_at as changed_at,
    mirrored.is_deleted,
    jsonb_build_object(
        'phone', coalesce(mirrored.phone, crm.written_text(mirrored.phone_raw)),
        'name', mirrored.name,
        'surname', mirrored.surname,
        'middle_name', mirrored.middle_name,
        'email', mirrored.email,
        'birthday', mirrored.birthday::text,
        'sex', coalesce(mirrored.sex, 'not_specified'),
        'receives_order_status', mirrored.receives_order_status::text,
        'receives_promo', mirrored.receives_promo::text
    )
    || coalesce(
        (
            select jsonb_object_agg('category:' || membership.category_id, 'true')
            from syrve.customer_category as membership
            where membership.organization_id = mirrored.organization_id and membership.customer_id = mirrored.customer_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('card:' || membership.track, 'true')
            from syrve.card as membership
            where
                membership.organization_id = mirrored.organization_id
                and membership.customer_id = mirrored.customer_id
                and membership.track is not null
        ),
        '{}'
    )
    || case when mirrored.program_id is null then '{}' else jsonb_build_object('program:' || mirrored.program_id, 'true') end as fields
from syrve.customer as mirrored;
comment on view crm.syrve_state is 'What Syrve has, by the mirror, in the same terms as crm.desired_state.';
comment on column crm.syrve_state.organization_id is 'Organization that knows the customer.';
comment on column crm.syrve_state.customer_id is 'Syrve''s id of the customer.';
comment on column crm.syrve_state.fetched_at is 'Time of the answer that made this version.';
comment on column crm.syrve_state.changed_at is 'When a field of the customer last changed, as far as look-ups show.';
comment on column crm.syrve_state.is_deleted is 'Whether Syrve has deleted the customer.';
comment on column crm.syrve_state.fields is 'Values by field; a membership that is not there is none. A phone that is no number is as Syrve has it.';

-- A row that is released, in any way, is tried immediately and with no refusals counted.
create function crm.forget_refusals() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update crm.push_state
    set failures = 0, refusals = 0, refusal = null, retry_at = null
    where crm_id in (select released.crm_id from released);
    return null;
end
$$;
comment on function crm.forget_refusals() is 'Forgets failures and refusals of rows that were released, so that they are tried immediately and like new ones.';

create trigger forget_refusals after delete on crm.push_blocked
referencing old table as released
for each statement execute function crm.forget_refusals();

-- As the owner, because operations may release a row, and hold no lock that a right to delete from the table would give them.
create function crm.retry_row(wanted bigint) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from crm.push_blocked as blocked
    where blocked.crm_id = wanted;
    return found;
end
$$;
comment on function crm.retry_row(bigint) is
'Releases a row of crm.push_blocked: it is tried with the next push, its refusals counted from zero. Returns whether it was there.';

-- As the owner, because attempts are append-only for the DAGs: what is old goes by this function, within its bounds, and by nothing else.
create function crm.prune_push(plan_days integer, attempt_days integer, batch_rows integer default 10000)
returns table (plan_rows bigint, attempts bigint, plans bigint, conflicts bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if plan_days < 7 or attempt_days < plan_days then
        raise exception 'plans are kept at least 7 days, and attempts at least as long as plans'
            using errcode = 'invalid_parameter_value';
    end if;

    with old as (
        select summary.plan_id
        from crm.push_plan_summary as summary
        where summary.planned_at < now() - make_interval(days => plan_days)
    ),

    doomed as (
        select
            planned.plan_id,
            planned.crm_id
        from crm.push_plan as planned
        inner join old on planned.plan_id = old.plan_id
        where
            planned.attempt is null
            and not exists (
                select 1
                from crm.push_state as known
                where known.crm_id = planned.crm_id and known.leased_until > now()
            )
            and not exists (select 1 from crm.push_blocked as blocked where blocked.crm_id = planned.crm_id)
        limit batch_rows
    )

    delete from crm.push_plan as planned
    using doomed
    where planned.plan_id = doomed.plan_id and planned.crm_id = doomed.crm_id;
    get diagnostics plan_rows = row_count;

    with old as (
        select summary.plan_id
        from crm.push_plan_summary as summary
        where summary.planned_at < now() - make_interval(days => attempt_days)
    ),

    doomed as (
        select tried.push_id
        from crm.push as tried
        inner join old on tried.plan_id = old.plan_id
        where
            tried.recorded_at < now() - make_interval(days => attempt_days)
            and not exists (
                select 1
                from crm.push_plan as planned
                where planned.plan_id = tried.plan_id and planned.crm_id = tried.crm_id
            )
            and not exists (select 1 from crm.push_blocked as blocked where blocked.crm_id = tried.crm_id)
        limit batch_rows
    )

    delete from crm.push as tried
    using doomed
    where tried.push_id = doomed.push_id;
    get diagnostics attempts = row_count;

    delete from crm.push_plan_summary as summary
    where
        summary.planned_at < now() - make_interval(days => attempt_days)
        and not exists (select 1 from crm.push_plan as planned where planned.plan_id = summary.plan_id)
        and not exists (select 1 from crm.push as tried where tried.plan_id = summary.plan_id);
    get diagnostics plans = row_count;

    with doomed as (
        select closed.conflict_id
        from crm.conflict as closed
        where closed.closed_at < now() - make_interval(days => attempt_days)
        limit batch_rows
    )

    delete from crm.conflict as closed
    using doomed
    where closed.conflict_id = doomed.conflict_id;
    get diagnostics conflicts = row_count;

    return next;
end
$$;
comment on function crm.prune_push(integer, integer, integer) is
'Deletes up to batch_rows rows each of what the push no longer needs: rows of plans older than plan_days, attempts, summaries and closed conflicts older than attempt_days. Keeps what is under way, leased, or waits in crm.push_blocked; never touches crm.push_state. Call it until it gives zeros.';
