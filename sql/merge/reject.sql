-- Opens a reject, or counts another occurrence of one that is open.
insert into sync.reject as known (run_id, entity, organization_id, identity, stage, reason, payload)
select distinct on (entity, organization_id, identity, stage, reason)
    %(run_id)s,
    entity,
    organization_id,
    identity,
    stage,
    reason,
    payload
from staging_reject
order by entity, organization_id, identity, stage, reason
on conflict (entity, organization_id, identity, stage, reason) where resolved_at is null do update
    set
        run_id = excluded.run_id,
        payload = excluded.payload,
        occurrences = known.occurrences + 1,
        last_seen_at = now();
