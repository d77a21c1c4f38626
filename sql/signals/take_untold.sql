-- Takes the changes that were not reported: each goes to one run only, and back if no channel takes it.
update sync.signal_flow as flow
set is_told = true
from (
    select
        organization_id,
        sort
    from sync.signal_flow
    where not is_told
    order by organization_id, sort
    for update skip locked
) as untold
where flow.organization_id = untold.organization_id and flow.sort = untold.sort
returning flow.organization_id::text, flow.sort, flow.last_at, flow.unreported, flow.stopped_at is not null as has_stopped;
