-- Keeps the id of a customer who turned out to exist, or to be another than the mirror said, and asks for the look-up after which the two are
-- compared; nothing was sent. A row to which the CRM has given another id since is left alone.
with kept as (
    update crm.push_state as known
    set
        customer_id = %(customer_id)s,
        link_phone = null,
        agreed = '{}',
        agreed_version = known.agreed_version + 1,
        pushed = null,
        unsure_phone = null,
        unsure_at = null
    from crm.push_plan as planned
    where
        planned.plan_id = %(plan_id)s
        and planned.crm_id = %(crm_id)s
        and known.crm_id = planned.crm_id
        and known.agreed_version = planned.agreed_version
    returning known.crm_id
)

select count(*) from kept;

update crm.customer as desired
set customer_id = %(customer_id)s
from crm.push_plan as planned
where
    planned.plan_id = %(plan_id)s
    and planned.crm_id = %(crm_id)s
    and desired.crm_id = planned.crm_id
    and desired.organization_id = planned.organization_id
    and desired.customer_id is not distinct from planned.customer_id;

insert into sync.roster as roster (organization_id, identity_kind, identity_value, source)
values (%(organization_id)s, 'id', %(customer_id)s::text, 'crm push')
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = least(roster.due_at, now());
