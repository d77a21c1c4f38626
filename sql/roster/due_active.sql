-- How many identities of active customers are due, by organization?
select
    organization_id::text,
    count(*) as identities
from sync.roster
where active_until is not null and due_at <= %(due_before)s
group by organization_id
order by organization_id;
