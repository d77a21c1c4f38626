-- Which of these ids are those of people who were erased?
select distinct named.id
from unnest(%(organization_ids)s::uuid[]) as known (organization_id)
cross join unnest(%(ids)s::text[]) as named (id)
where privacy.is_erased(known.organization_id, 'id', lower(named.id));
