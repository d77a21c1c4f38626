-- Changes of too many customers that are held back.
select
    breaker.breaker_id,
    breaker.kind,
    breaker.field,
    breaker.looked,
    breaker.affected,
    breaker.tripped_at,
    coalesce(organization.name, breaker.organization_id::text) as organization_name
from sync.breaker as breaker
left join syrve.organization as organization on breaker.organization_id = organization.organization_id
where breaker.decision is null
order by breaker.tripped_at
limit %(most)s;
