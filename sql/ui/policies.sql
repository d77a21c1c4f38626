-- What is promised to each organization beyond the project's own.
select
    organization_id::text as organization_id,
    max_age_seconds,
    min_interval_seconds
from sync.refresh_policy
order by organization_id
limit 1000;
