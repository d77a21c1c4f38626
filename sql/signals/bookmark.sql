-- How far the order feed of an organization was read, and its clock.
select
    bookmark.revision,
    extract(epoch from now() - bookmark.read_at)::double precision as age_seconds,
    organization.time_zone
from (select %(organization_id)s::uuid as organization_id) as asked
left join sync.order_bookmark as bookmark on asked.organization_id = bookmark.organization_id
left join syrve.organization as organization on asked.organization_id = organization.organization_id;
