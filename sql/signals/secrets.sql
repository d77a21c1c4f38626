-- The secrets in force.
select
    organization_id::text,
    secret_hash
from sync.signal_secret
where retired_at is null or retired_at > now();
