-- Makes the customer of a row due under every identity of theirs, in key order: the mirror does not have them as they are.
with locked as materialized (
    select
        roster.organization_id,
        roster.identity_kind,
        roster.identity_value
    from crm.push_plan as planned
    inner join sync.roster as roster
        on planned.organization_id = roster.organization_id and planned.customer_id = roster.customer_id
    where planned.plan_id = %(plan_id)s and planned.crm_id = %(crm_id)s and roster.due_at < 'infinity'
    order by roster.organization_id, roster.identity_kind, roster.identity_value
    for no key update of roster
)

update sync.roster as roster
set due_at = case when roster.lease is null then least(roster.due_at, now()) else now() end
from locked
where
    roster.organization_id = locked.organization_id
    and roster.identity_kind = locked.identity_kind
    and roster.identity_value = locked.identity_value;
