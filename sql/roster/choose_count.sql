-- How many identities of each organization's roster would choose.sql choose?
select
    organization_id::text,
    count(*) as identities
from sync.roster
where
    organization_id = any(%(organization_ids)s::uuid[])
    and (checked_at is null or checked_at < %(not_refreshed_since)s)
    and due_at < 'infinity'
group by organization_id
order by organization_id;
