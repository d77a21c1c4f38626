-- Writes the organizations that are new, or whose name or time zone changed.
insert into syrve.organization as mirrored (organization_id, name, time_zone, synced_at)
select
    organization_id,
    name,
    %(zone)s as time_zone,
    now() as synced_at
from unnest(%(organization_ids)s::uuid[], %(names)s::text[]) as listed (organization_id, name)
on conflict (organization_id) do update
    set
        name = excluded.name,
        time_zone = excluded.time_zone,
        synced_at = excluded.synced_at
    where (mirrored.name, mirrored.time_zone) is distinct from (excluded.name, excluded.time_zone);
