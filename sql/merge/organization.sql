-- Writes the organizations that are new, or of which anything changed.
insert into syrve.organization as mirrored (organization_id, name, time_zone, account, synced_at)
select
    organization_id,
    name,
    %(zone)s as time_zone,
    %(listed_by)s as account,
    now() as synced_at
from unnest(%(organization_ids)s::uuid[], %(names)s::text[]) as listed (organization_id, name)
on conflict (organization_id) do update
    set
        name = excluded.name,
        time_zone = excluded.time_zone,
        account = excluded.account,
        synced_at = excluded.synced_at
    where (mirrored.name, mirrored.time_zone, mirrored.account) is distinct from (excluded.name, excluded.time_zone, excluded.account);
