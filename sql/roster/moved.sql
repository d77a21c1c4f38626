-- A phone or card that led to a customer and now leads to another one, or to nobody, says nothing about the former: whether they have another
-- phone, were merged or are gone is what a look-up by id will tell, so it is due at once.
insert into sync.roster as known (
    organization_id, identity_kind, identity_value, source, customer_id, outcome, confirmed_at, priority, active_until
)
select distinct on (former.organization_id, former.customer_id)
    former.organization_id,
    'id' as identity_kind,
    former.customer_id::text as identity_value,
    'moved' as source,
    former.customer_id,
    'found' as outcome,
    former.confirmed_at,
    former.priority,
    former.active_until
from staging_lookup as looked
inner join sync.roster as former
    on
        looked.organization_id = former.organization_id
        and looked.identity_kind = former.identity_kind
        and looked.identity_value = former.identity_value
where
    looked.identity_kind in ('phone', 'card')
    and former.customer_id is not null
    and former.outcome is distinct from 'not_found'
    and (
        (looked.outcome = 'found' and looked.customer_id <> former.customer_id)
        or looked.outcome = 'not_found'
    )
order by former.organization_id asc, former.customer_id asc, former.confirmed_at desc nulls last
on conflict (organization_id, identity_kind, identity_value) do update
    set
        due_at = case when known.lease is null then least(known.due_at, now()) else now() end,
        customer_id = excluded.customer_id,
        confirmed_at = greatest(known.confirmed_at, excluded.confirmed_at);
