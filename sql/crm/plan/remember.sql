-- Gives every candidate its row in crm.push_state, with its phone as just read. Where the row is about another customer or organization
-- than before, nothing is agreed yet; where its data changed, failures of the old data no longer count.
insert into crm.push_state as known (crm_id, organization_id, customer_id, phone_read, phone)
select
    candidate.crm_id,
    desired.organization_id,
    desired.customer_id,
    case when btrim(desired.phone) <> '' then %(region)s || ' ' || desired.phone end as phone_read,
    unread.phone
from staging_candidate as candidate
inner join crm.customer as desired on candidate.crm_id = desired.crm_id
left join staging_phone as unread on candidate.crm_id = unread.crm_id
left join crm.push_state as before on candidate.crm_id = before.crm_id
where
    before.crm_id is null
    or before.phone_read is distinct from case when btrim(desired.phone) <> '' then %(region)s || ' ' || desired.phone end
    or before.organization_id <> desired.organization_id
    or before.customer_id is distinct from desired.customer_id
on conflict (crm_id) do update
    set
        phone = case when known.phone_read is not distinct from excluded.phone_read then known.phone else excluded.phone end,
        phone_read = excluded.phone_read,
        organization_id = excluded.organization_id,
        customer_id = excluded.customer_id,
        agreed = case
            when (known.organization_id, known.customer_id) is not distinct from (excluded.organization_id, excluded.customer_id)
                then known.agreed
            else '{}'
        end,
        agreed_version = case
            when (known.organization_id, known.customer_id) is not distinct from (excluded.organization_id, excluded.customer_id)
                then known.agreed_version
            else known.agreed_version + 1
        end,
        pushed = case
            when (known.organization_id, known.customer_id) is not distinct from (excluded.organization_id, excluded.customer_id)
                then known.pushed
        end;

update crm.push_state as known
set failures = 0, refusals = 0, refusal = null, retry_at = null
from staging_candidate as candidate
inner join crm.customer as desired on candidate.crm_id = desired.crm_id
where
    known.crm_id = candidate.crm_id
    and (known.failures > 0 or known.refusals > 0)
    and (known.tried_edit, known.tried_memberships) is distinct from (desired.edited_at, desired.memberships_edited_at);
