-- Holds back what would change one field of too many customers of an organization (mass.sql), until a person decides (sync.let_through or
-- sync.drop_held_back, by the number of the breaker). A row with such a change waits, but for a no to messages; the exact changes are in crm.push_held_back. What
-- a person let through is sent, what they dropped is not, until the CRM writes another value. A breaker whose changes are so few again that they
-- need no question ends by itself.
update sync.breaker as breaker
set decision = 'recovered', decided_at = now()
where
    breaker.kind = 'push'
    and breaker.decision is null
    and breaker.organization_id = any(%(organization_ids)s::uuid[])
    and not exists (
        select 1
        from staging_mass as mass
        where
            mass.organization_id = breaker.organization_id
            and mass.field = breaker.field
            and mass.affected > mass.allowed
    );

insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed)
select
    organization_id,
    'push' as kind,
    field,
    %(run_id)s as run,
    looked,
    affected,
    allowed
from staging_mass
where affected > allowed
order by organization_id, field
on conflict (organization_id, kind, field) where decision is null do nothing;

insert into staging_held (crm_id, key, breaker_id, wanted)
select
    change.crm_id,
    change.key,
    breaker.breaker_id,
    change.wanted
from staging_field_change as change
inner join staging_subject as subject on change.crm_id = subject.crm_id
inner join sync.breaker as breaker
    on
        subject.organization_id = breaker.organization_id
        and change.field = breaker.field
        and breaker.kind = 'push'
        and breaker.decision is null
where change.is_sent and not change.is_let_through and subject.kind = 'update';

delete from crm.push_held_back as held
using staging_subject as subject
where
    held.crm_id = subject.crm_id
    and subject.kind = 'update'
    and (
        (held.customer_id is distinct from subject.customer_id)
        or not exists (
            select 1
            from staging_field_change as change
            where change.crm_id = held.crm_id and change.key = held.key and (change.wanted is not distinct from held.wanted)
        )
    );

insert into crm.push_held_back as held (crm_id, key, organization_id, customer_id, breaker_id, wanted)
select
    staged.crm_id,
    staged.key,
    subject.organization_id,
    subject.customer_id,
    staged.breaker_id,
    staged.wanted
from staging_held as staged
inner join staging_subject as subject on staged.crm_id = subject.crm_id
order by staged.crm_id, staged.key
on conflict (crm_id, key) do update
    set
        customer_id = excluded.customer_id,
        breaker_id = excluded.breaker_id,
        wanted = excluded.wanted,
        held_at = now()
    where (held.customer_id, held.breaker_id, held.wanted) is distinct from (excluded.customer_id, excluded.breaker_id, excluded.wanted);

-- A no to messages waits for no question about something else: it goes alone.
update staging_field_change as change
set is_sent = false
where
    change.crm_id in (select staged.crm_id from staging_held as staged)
    and not (
        change.field in ('receives_promo', 'receives_order_status')
        and change.wanted = 'false'
        and not exists (select 1 from staging_held as staged where staged.crm_id = change.crm_id and staged.key = change.key)
    );

update staging_subject as subject
set kind = 'held'
where
    subject.crm_id in (select staged.crm_id from staging_held as staged)
    and not exists (select 1 from staging_field_change as change where change.crm_id = subject.crm_id and change.is_sent);

delete from staging_field_change as change
using staging_subject as subject
where change.crm_id = subject.crm_id and subject.kind = 'held';

select
    staged.breaker_id,
    subject.organization_id::text,
    split_part(staged.key, ':', 1) as field,
    count(distinct staged.crm_id) as customers
from staging_held as staged
inner join staging_subject as subject on staged.crm_id = subject.crm_id
group by staged.breaker_id, subject.organization_id, split_part(staged.key, ':', 1)
order by staged.breaker_id;
