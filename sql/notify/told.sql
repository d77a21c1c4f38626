-- Remembers what the channel was told of each finding.
insert into wallet.finding_told (channel, finding_id, version, is_open, severity, amount_at_risk, change, notification_id)
select
    %(channel)s,
    told.finding_id,
    told.version,
    told.is_open,
    told.severity,
    told.amount_at_risk,
    told.change,
    %(notification_id)s::uuid
from
    unnest(
        %(finding_ids)s::uuid[],
        %(versions)s::integer[],
        %(open)s::boolean[],
        %(severities)s::text[],
        %(amounts)s::numeric[],
        %(changes)s::text[]
    ) as told (finding_id, version, is_open, severity, amount_at_risk, change)
-- A finding may have been erased since it was told.
where exists (select from wallet.finding as finding where finding.finding_id = told.finding_id)
on conflict (channel, finding_id) do update
    set
        version = excluded.version,
        is_open = excluded.is_open,
        severity = excluded.severity,
        amount_at_risk = excluded.amount_at_risk,
        change = excluded.change,
        notification_id = excluded.notification_id;
