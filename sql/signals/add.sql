-- Adds the customers whom the roster lacks.
insert into sync.roster (organization_id, identity_kind, identity_value, source)
select distinct on (organization_id, identity_kind, identity_value)
    organization_id,
    identity_kind,
    identity_value,
    case when kind = 'balance' then 'notification' else 'order' end as source
from staging_signal
where is_followed and not is_known
order by organization_id asc, identity_kind asc, identity_value asc, signal_id asc
on conflict do nothing;
