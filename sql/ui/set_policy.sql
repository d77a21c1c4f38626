-- Set what is promised to an organization, if it is still what the form showed; what is not on the form is kept.
insert into sync.refresh_policy (organization_id, max_age_seconds, min_interval_seconds)
select
    known.organization_id,
    %(max_age_seconds)s::integer,
    %(min_interval_seconds)s::integer
from syrve.organization as known
where known.organization_id = %(organization_id)s::uuid
on conflict (organization_id) do update
    set max_age_seconds = excluded.max_age_seconds, min_interval_seconds = excluded.min_interval_seconds
    where
    refresh_policy.max_age_seconds is not distinct from %(shown_max_age_seconds)s::integer
    and refresh_policy.min_interval_seconds is not distinct from %(shown_min_interval_seconds)s::integer
returning organization_id;
