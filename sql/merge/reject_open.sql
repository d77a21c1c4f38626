-- Which rejects does an import have open, and what did those of this file or query hold? At most as many as are asked for.
select
    reject_id,
    organization_id::text,
    identity,
    case when payload -> 'received' ->> 'place' = %(place)s then payload -> 'received' end as received
from sync.reject
where
    resolved_at is null
    and entity = %(entity)s
    and stage = %(stage)s
order by reject_id desc
limit %(at_most)s;
