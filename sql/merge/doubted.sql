-- Takes answers out of the batch that would empty or damage the profile of a customer: unless an earlier run got the same answer under the same
-- identity, and no answer under any identity has shown the customer since. What is held back is out already, and what a person let through is not in
-- staging_gone any more.
with doubted as (
    select
        gone.organization_id,
        gone.identity_kind,
        gone.identity_value,
        gone.customer_id,
        asked.reason
    from
        unnest(%(organization_ids)s::uuid[], %(customer_ids)s::uuid[], %(reasons)s::text[]) as asked (
            organization_id, customer_id, reason
        )
    inner join staging_gone as gone
        on
            asked.organization_id = gone.organization_id
            and asked.customer_id = gone.customer_id
            and gone.answer in ('emptied', 'damaged')
),

confirmed as (
    select
        doubted.organization_id,
        doubted.customer_id
    from doubted
    inner join sync.reject as told
        on
            doubted.organization_id = told.organization_id
            and told.identity = doubted.identity_kind || ' ' || doubted.identity_value
            and doubted.reason = told.reason
    where
        told.entity = 'customer'
        and told.stage = 'look_up'
        and told.resolved_at is null
        and told.run_id <> %(run_id)s
        and not exists (
            select
            from sync.roster as shown
            where
                shown.organization_id = doubted.organization_id
                and shown.customer_id = doubted.customer_id
                and shown.confirmed_at > told.last_seen_at
        )
)

update staging_lookup as looked
set outcome = 'rejected', customer_id = null
from doubted
where
    looked.organization_id = doubted.organization_id
    and looked.identity_kind = doubted.identity_kind
    and looked.identity_value = doubted.identity_value
    and looked.outcome = 'found'
    and (doubted.organization_id, doubted.customer_id) not in (select organization_id, customer_id from confirmed)
returning
    doubted.organization_id::text as organization_id,
    doubted.customer_id::text as customer_id,
    looked.identity_kind || ' ' || looked.identity_value as identity,
    doubted.reason;
