-- Closes the rejects of records that were imported now without a problem.
update sync.reject as known
set resolved_at = now()
from unnest(%(organization_ids)s::uuid[], %(identities)s::text[]) as landed (organization_id, identity)
where
    known.resolved_at is null
    and known.entity = %(entity)s
    and known.stage = %(stage)s
    and known.organization_id is not distinct from landed.organization_id
    and known.identity = landed.identity;
