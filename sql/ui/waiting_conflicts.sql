-- Conflicts that wait for a decision, the oldest first; personal values are masked unless they are asked for in clear.
select
    masked.conflict_id,
    masked.crm_id,
    masked.customer_id::text as customer_id,
    masked.field,
    coalesce(organization.name, masked.organization_id::text) as organization_name,
    case when %(clear)s then known.crm_value else masked.crm_value end as crm_value,
    case when %(clear)s then known.syrve_value else masked.syrve_value end as syrve_value,
    known.crm_value is null as crm_is_empty,
    known.syrve_value is null as syrve_is_empty,
    masked.found_at
from crm.conflict_masked as masked
inner join crm.conflict as known on masked.conflict_id = known.conflict_id
left join syrve.organization as organization on masked.organization_id = organization.organization_id
where masked.closed_at is null and masked.outcome = 'waits' and masked.decision is null
order by masked.conflict_id
limit %(most)s;
