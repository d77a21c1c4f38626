-- Sets a row aside that Syrve refused the same way too often, with the version of the customer's profile that the mirror has now: once it is
-- another (they were merged, say), the row is looked at again.
insert into crm.push_blocked as blocked (
    crm_id, organization_id, stage, operation, code, reason, times, edited_at, memberships_edited_at, mirror_fetched_at, run_id
)
select
    planned.crm_id,
    planned.organization_id,
    'apply' as stage,
    %(operation)s as operation_of_refusal,
    %(code)s as code_of_refusal,
    %(reason)s as reason_of_refusal,
    %(times)s as times_of_refusal,
    planned.edited_at,
    planned.memberships_edited_at,
    mirrored.profile_changed_at,
    %(run_id)s as run
from crm.push_plan as planned
left join syrve.customer as mirrored
    on planned.organization_id = mirrored.organization_id and planned.customer_id = mirrored.customer_id
where planned.plan_id = %(plan_id)s and planned.crm_id = %(crm_id)s
on conflict (crm_id) do update
    set
        stage = excluded.stage,
        operation = excluded.operation,
        code = excluded.code,
        reason = excluded.reason,
        times = excluded.times,
        edited_at = excluded.edited_at,
        memberships_edited_at = excluded.memberships_edited_at,
        mirror_fetched_at = excluded.mirror_fetched_at,
        run_id = excluded.run_id,
        blocked_at = now();
