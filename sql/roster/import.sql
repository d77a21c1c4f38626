-- Adds the identities that the roster does not have yet, and tells how many. Known ones are left as they are, but for a higher priority. One that another
-- covers is due then: its answer passes the priority on to the one that is looked up (cover.sql).
with added as (
    insert into sync.roster as known (organization_id, identity_kind, identity_value, source, received_value, priority)
    select distinct on (organization_id, identity_kind, identity_value)
        organization_id,
        identity_kind,
        identity_value,
        %(source_name)s as source,
        received_value,
        priority
    from staging_roster
    order by organization_id asc, identity_kind asc, identity_value asc, priority desc
    on conflict (organization_id, identity_kind, identity_value) do update
        set
            priority = excluded.priority,
            due_at = case when known.due_at = 'infinity' then now() else known.due_at end
        where excluded.priority > known.priority
    returning (known.xmax = 0) as is_new
)

select count(*) filter (where is_new) as added
from added;
