-- Rows of one plan.
select
    planned.crm_id,
    planned.action,
    planned.changes,
    planned.state,
    planned.reason,
    planned.finished_at,
    coalesce(organization.name, planned.organization_id::text) as organization_name
from (
    select *
    from crm.push_plan
    where plan_id = %(plan_id)s and (%(state)s::text is null or state = %(state)s)
    order by crm_id
    limit %(most)s
) as planned
left join syrve.organization as organization on planned.organization_id = organization.organization_id
order by planned.crm_id;
