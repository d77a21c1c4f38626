-- How many identities of each organization are due at the given moment?
select
    organization_id::text,
    count(*) as identities
from sync.roster
where due_at <= %(due_before)s
group by organization_id
order by organization_id;
