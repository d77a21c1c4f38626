-- By how much would each field change for an organization: customers of this plan, and of the pushes of the day before it. Many small plans are
-- judged like a large one. Creations do not count, nor what a person let through or dropped; a day starts again with what was let through, and while
-- a question is open it begins before the question, so that none ends by waiting.
update staging_field_change as change
set is_let_through = true
from crm.push_held_back as held
inner join sync.breaker as breaker on held.breaker_id = breaker.breaker_id
inner join staging_subject as subject on held.crm_id = subject.crm_id and (held.customer_id is not distinct from subject.customer_id)
where
    held.crm_id = change.crm_id
    and held.key = change.key
    and (held.wanted is not distinct from change.wanted)
    and breaker.decision = 'let_through'
    and change.is_sent;

-- What was dropped is not sent.
update staging_field_change as change
set is_sent = false
from crm.push_held_back as held
inner join sync.breaker as breaker on held.breaker_id = breaker.breaker_id
inner join staging_subject as subject on held.crm_id = subject.crm_id and (held.customer_id is not distinct from subject.customer_id)
where
    held.crm_id = change.crm_id
    and held.key = change.key
    and (held.wanted is not distinct from change.wanted)
    and breaker.decision = 'dropped'
    and change.is_sent;

insert into staging_mass (organization_id, field, looked, affected, allowed)
with planned_now as (
    select distinct
        subject.organization_id,
        change.field,
        change.crm_id
    from staging_field_change as change
    inner join staging_subject as subject on change.crm_id = subject.crm_id
    where change.is_sent and not change.is_let_through and subject.kind = 'update'
),

day as (
    select
        fields.organization_id,
        fields.field,
        greatest(
            coalesce(max(breaker.tripped_at) filter (where breaker.decision is null), now()) - interval '1 day',
            max(breaker.decided_at) filter (where breaker.decision = 'let_through')
        ) as begins_at
    from (select distinct planned_now.organization_id, planned_now.field from planned_now) as fields
    left join sync.breaker as breaker
        on fields.organization_id = breaker.organization_id and fields.field = breaker.field and breaker.kind = 'push'
    group by fields.organization_id, fields.field
),

changed as (
    select
        planned_now.organization_id,
        planned_now.field,
        planned_now.crm_id
    from planned_now
    union
    select
        day.organization_id,
        day.field,
        sent.crm_id
    from day
    inner join crm.push_plan as sent on day.organization_id = sent.organization_id and day.begins_at < sent.finished_at
    cross join lateral unnest(sent.acknowledged) as done (key)
    where
        sent.acknowledged <> '{}'
        and sent.action <> 'create'
        and split_part(done.key, ':', 1) = day.field
        and done.key <> all(sent.let_through)
),

managed as (
    select
        desired.organization_id,
        count(*) as customers
    from crm.customer as desired
    where desired.customer_id is not null and desired.organization_id in (select day.organization_id from day)
    group by desired.organization_id
)

select
    changed.organization_id,
    changed.field,
    managed.customers as looked,
    count(*) as affected,
    greatest(%(max_changed_at_least)s, floor(%(max_changed_share)s * managed.customers))::bigint as allowed
from changed
inner join managed on changed.organization_id = managed.organization_id
group by changed.organization_id, changed.field, managed.customers;
