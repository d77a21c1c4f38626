-- Gives changes back of which no channel was told, unless they have changed since.
update sync.signal_flow as flow
set is_told = false
from unnest(%(organization_ids)s::uuid[], %(sorts)s::text[], %(stopped)s::boolean[]) as untold (organization_id, sort, has_stopped)
where
    flow.organization_id = untold.organization_id
    and flow.sort = untold.sort
    and (flow.stopped_at is not null) = untold.has_stopped;
