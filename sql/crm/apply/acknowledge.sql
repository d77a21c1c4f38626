-- Moves the agreement by what Syrve has acknowledged, keeps the customer's id, and makes the customer due for a look-up that must show it.
-- An agreement of another version is about something else by now (the CRM has named another customer) and is left alone: the next plan
-- compares again. A customer who was just created may stay unknown to look-ups for some seconds, so that look-up waits. Who is being looked up
-- at this moment is looked up once more. No look-up that has landed already counts as one after the push, even if its worker's clock was wrong.
-- Rows of the roster are locked in the order of their key, as everywhere: cards, then the id (which may be new), then phones.
with sent as (
    select
        planned.crm_id,
        planned.organization_id,
        planned.agreed_version + 1 as agreed_version,
        jsonb_object_agg(change.key, change.value) as changes,
        jsonb_object_agg(change.key, change.value -> 'to') as agreed,
        array_agg(change.key) as keys
    from crm.push_plan as planned
    cross join lateral jsonb_each(planned.changes) as change
    where
        planned.plan_id = %(plan_id)s
        and planned.crm_id = %(crm_id)s
        and change.key = any(%(keys)s::text[])
        and change.key <> all(planned.acknowledged)
    group by planned.crm_id, planned.organization_id, planned.agreed_version
),

moved as (
    update crm.push_state as known
    set
        customer_id = %(customer_id)s,
        agreed = known.agreed || sent.agreed,
        agreed_version = sent.agreed_version,
        pushed = coalesce(known.pushed, '{}') || sent.changes,
        pushed_at = greatest(
            clock_timestamp(),
            (
                select mirrored.fetched_at
                from syrve.customer as mirrored
                where mirrored.organization_id = %(organization_id)s and mirrored.customer_id = %(customer_id)s
            ),
            (
                select max(roster.checked_at)
                from sync.roster as roster
                where roster.organization_id = %(organization_id)s and roster.customer_id = %(customer_id)s
            )
        ),
        unsure_phone = null,
        unsure_at = null
    from sent
    where known.crm_id = sent.crm_id and known.agreed_version = sent.agreed_version - 1
    returning known.crm_id
),

noted as (
    update crm.push_plan as planned
    set customer_id = %(customer_id)s, agreed_version = sent.agreed_version, acknowledged = planned.acknowledged || sent.keys
    from sent
    where planned.plan_id = %(plan_id)s and planned.crm_id = sent.crm_id
    returning planned.crm_id
)

select
    (select count(*) from moved) as moved,
    (select count(*) from noted) as noted;

update crm.customer as desired
set customer_id = %(customer_id)s
from crm.push_plan as planned
where
    planned.plan_id = %(plan_id)s
    and planned.crm_id = %(crm_id)s
    and desired.crm_id = planned.crm_id
    and desired.organization_id = planned.organization_id
    and desired.customer_id is null;

with locked as materialized (
    select
        roster.organization_id,
        roster.identity_kind,
        roster.identity_value
    from sync.roster as roster
    where
        roster.organization_id = %(organization_id)s
        and roster.customer_id = %(customer_id)s
        and roster.identity_kind < 'id'
        and roster.due_at < 'infinity'
    order by roster.organization_id, roster.identity_kind, roster.identity_value
    for no key update of roster
)

update sync.roster as roster
set
    due_at = case
        when roster.lease is null then least(roster.due_at, now() + make_interval(secs => %(unseen_seconds)s))
        else now() + make_interval(secs => %(unseen_seconds)s)
    end
from locked
where
    roster.organization_id = locked.organization_id
    and roster.identity_kind = locked.identity_kind
    and roster.identity_value = locked.identity_value;

insert into sync.roster as roster (organization_id, identity_kind, identity_value, source, due_at)
select
    %(organization_id)s::uuid as organization,
    'id' as identity_kind,
    %(customer_id)s::text as identity_value,
    'crm push' as source,
    now() + make_interval(secs => %(unseen_seconds)s) as due_at
where
    'phone' = any(%(keys)s::text[])
    or exists (
        select 1
        from sync.roster as known
        where
            known.organization_id = %(organization_id)s
            and known.identity_kind = 'id'
            and known.identity_value = %(customer_id)s::text
            and known.due_at < 'infinity'
    )
    or not exists (
        select 1
        from sync.roster as known
        where known.organization_id = %(organization_id)s and known.customer_id = %(customer_id)s and known.identity_kind <> 'id'
    )
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = case when roster.lease is null then least(roster.due_at, excluded.due_at) else excluded.due_at end;

with locked as materialized (
    select
        roster.organization_id,
        roster.identity_kind,
        roster.identity_value
    from sync.roster as roster
    where
        roster.organization_id = %(organization_id)s
        and roster.customer_id = %(customer_id)s
        and roster.identity_kind > 'id'
        and roster.due_at < 'infinity'
    order by roster.organization_id, roster.identity_kind, roster.identity_value
    for no key update of roster
)

update sync.roster as roster
set
    due_at = case
        when roster.lease is null then least(roster.due_at, now() + make_interval(secs => %(unseen_seconds)s))
        else now() + make_interval(secs => %(unseen_seconds)s)
    end
from locked
where
    roster.organization_id = locked.organization_id
    and roster.identity_kind = locked.identity_kind
    and roster.identity_value = locked.identity_value;
