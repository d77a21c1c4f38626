-- Makes the phone due that a row was to give its customer: Syrve has refused the row, and the phone may be another customer's. It may be new.
insert into sync.roster as roster (organization_id, identity_kind, identity_value, source)
select
    planned.organization_id,
    'phone' as identity_kind,
    planned.changes #>> '{phone,to}' as identity_value,
    'crm push' as source
from crm.push_plan as planned
where
    planned.plan_id = %(plan_id)s
    and planned.crm_id = %(crm_id)s
    and planned.customer_id is not null
    and planned.changes #>> '{phone,to}' is not null
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = case when roster.lease is null then least(roster.due_at, now()) else now() end;
