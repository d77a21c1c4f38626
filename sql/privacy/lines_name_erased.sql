-- Does one of these lines of a file name a person who was erased?
select count(*) > 0 as is_named
from (
    select 1
    from unnest(%(organization_ids)s::uuid[]) as known (organization_id)
    cross join unnest(%(lines)s::text[]) as written (line)
    where privacy.names_erased(known.organization_id, written.line)
    order by 1
    limit 1
) as found;
