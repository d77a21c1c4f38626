-- What a backfill still has to look up, by organization.
select
    organization_id::text,
    count(*) as identities
from sync.roster
where backfill_id = %(backfill_id)s
group by organization_id
order by organization_id;
