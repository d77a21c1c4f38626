-- Rows of one plan.
select
    planned.crm_id,
    planned.action,
    planned.changes,
    planned.state,
    planned.reason,
    planned.finished_at,
    planned.acknowledged,
    coalesce(organization.name, planned.organization_id::text) as organization_name
from (
    select change.*
    from crm.push_plan as change
    where
        change.plan_id = %(plan_id)s
        and (%(state)s::text is null or change.state = %(state)s)
        and (%(organization_id)s::uuid is null or change.organization_id = %(organization_id)s::uuid)
        and (
            %(field)s::text is null
            or exists (select from jsonb_object_keys(change.changes) as changed (field) where split_part(changed.field, ':', 1) = %(field)s)
        )
    order by change.crm_id
    limit %(most)s
) as planned
left join syrve.organization as organization on planned.organization_id = organization.organization_id
order by planned.crm_id;
