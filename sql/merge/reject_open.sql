-- Which records does an import have open? At most as many as are asked for: beyond that they close with their place.
select distinct
    organization_id::text,
    identity
from sync.reject
where
    resolved_at is null
    and entity = %(entity)s
    and stage = %(stage)s
limit %(limit)s;
