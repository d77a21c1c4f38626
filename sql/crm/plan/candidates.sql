-- Which rows may need a push? Those that moved on either side since there was last nothing to do for them, and those still open; without
-- the ones that wait: for their next try, or for a person. Compares versions, never fields, so an unchanged row costs next to nothing.
insert into staging_candidate (crm_id)
select desired.crm_id
from crm.customer as desired
left join crm.push_state as known on desired.crm_id = known.crm_id
left join syrve.customer as mirrored
    on desired.organization_id = mirrored.organization_id and desired.customer_id = mirrored.customer_id
left join crm.push_blocked as blocked on desired.crm_id = blocked.crm_id
where
    desired.organization_id = any(%(organization_ids)s::uuid[])
    and (
        known.is_settled is not true
        or known.joined_to is not null
        or known.settled_edit <> desired.edited_at
        or known.organization_id <> desired.organization_id
        or known.customer_id is distinct from desired.customer_id
        or known.settled_memberships is distinct from desired.memberships_edited_at
        or known.settled_mirror is distinct from mirrored.fetched_at
        or desired.crm_id in (select open.crm_id from crm.conflict as open where open.closed_at is null)
    )
    and (
        known.retry_at is null
        or known.retry_at <= now()
        or known.tried_edit is distinct from desired.edited_at
        or known.tried_memberships is distinct from desired.memberships_edited_at
    )
    and (
        blocked.crm_id is null
        or blocked.edited_at <> desired.edited_at
        or blocked.memberships_edited_at is distinct from desired.memberships_edited_at
        or (blocked.stage = 'plan' and blocked.mirror_fetched_at is distinct from mirrored.fetched_at)
        or (blocked.stage = 'apply' and blocked.mirror_fetched_at is distinct from mirrored.profile_changed_at)
        or (
            blocked.stage = 'plan'
            and exists (
                select 1
                from sync.roster as found
                where
                    found.organization_id = desired.organization_id
                    and found.identity_kind = 'phone'
                    and found.identity_value = known.phone
                    and (
                        (found.outcome = 'found' and found.checked_at > blocked.blocked_at)
                        or found.changed_at > blocked.blocked_at
                    )
            )
        )
    );
