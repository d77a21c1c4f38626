-- The row that is sent next, with what has moved since it was planned, and what an earlier task has left of it. Extends the lease.
-- Gives no row where the lease is lost or the plan's row is no longer open.
with held as (
    update crm.push_state
    set leased_until = now() + make_interval(secs => %(lease_seconds)s)
    where crm_id = %(crm_id)s and lease = %(lease)s
    returning crm_id, customer_id, agreed_version, link_phone, unsure_phone, unsure_at
)

select
    planned.action,
    planned.customer_id::text,
    planned.phone,
    planned.changes,
    planned.acknowledged,
    held.link_phone,
    held.unsure_phone,
    extract(epoch from now() - held.unsure_at)::double precision as unsure_seconds,
    case
        when desired.crm_id is null then 'the CRM has deleted the row'
        when
            desired.organization_id <> planned.organization_id
            or desired.edited_at <> planned.edited_at
            or (desired.memberships_edited_at is distinct from planned.memberships_edited_at)
            then 'the CRM has changed the row since it was planned'
        when
            (desired.customer_id is distinct from planned.customer_id)
            or (held.customer_id is distinct from planned.customer_id)
            or held.agreed_version <> planned.agreed_version
            then 'the row was pushed or linked since it was planned'
        when
            exists (
                select 1
                from crm.conflict as judged
                where
                    judged.crm_id = planned.crm_id
                    and judged.closed_at is null
                    and judged.decision = 'syrve'
                    and planned.changes ? judged.field
                    and judged.field <> all(planned.acknowledged)
            )
            then 'a person has decided for Syrve since it was planned'
        when
            planned.customer_id is null
            and exists (
                select 1
                from syrve.customer as other
                where other.organization_id = planned.organization_id and other.phone = planned.phone
            )
            then 'the customer was found in Syrve since it was planned'
        when
            planned.customer_id is not null
            and (
                state.customer_id is null
                or state.is_deleted
                or exists (
                    select 1
                    from jsonb_each(planned.changes) as change
                    where
                        change.key <> all(planned.acknowledged)
                        and coalesce(state.fields ->> change.key, case when strpos(change.key, ':') > 0 then 'false' end)
                        is distinct from change.value ->> 'from'
                )
            )
            then 'Syrve has changed the customer since it was planned'
    end as moved
from held
inner join crm.push_plan as planned on held.crm_id = planned.crm_id
left join crm.customer as desired on planned.crm_id = desired.crm_id
left join crm.syrve_state as state
    on planned.organization_id = state.organization_id and planned.customer_id = state.customer_id
where planned.plan_id = %(plan_id)s and planned.state = 'planned';
