-- How far the order feed of an organization was read, and its clock; since when it has had no orders although others say that there are some, and when it
-- was last read by date.
select
    bookmark.revision,
    extract(epoch from now() - bookmark.read_at)::double precision as age_seconds,
    organization.time_zone,
    extract(epoch from now() - flow.last_at)::double precision as silent_seconds,
    extract(epoch from now() - bookmark.fell_back_at)::double precision as by_date_seconds
from (select %(organization_id)s::uuid as organization_id) as asked
left join sync.order_bookmark as bookmark on asked.organization_id = bookmark.organization_id
left join syrve.organization as organization on asked.organization_id = organization.organization_id
left join sync.signal_flow as flow on asked.organization_id = flow.organization_id and flow.sort = 'feed' and flow.stopped_at is not null;
