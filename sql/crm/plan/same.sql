-- Settles at once the customers for whom both sides have the same in every field that the CRM manages: they are agreed and need no comparison
-- field by field, which is what a first plan of a large CRM would spend its time on. Where an acknowledged push has not been seen in a look-up
-- yet, the mirror does not speak for Syrve, and the fields are compared one by one.
insert into staging_same (crm_id, fields)
with sides as materialized ( -- so that each side is put together once
    select
        subject.crm_id,
        desired.fields as wanted,
        state.fields as mirrored
    from staging_subject as subject
    inner join crm.desired_state as desired on subject.crm_id = desired.crm_id
    inner join crm.syrve_state as state
        on subject.organization_id = state.organization_id and subject.customer_id = state.customer_id
    where subject.kind = 'update' and subject.pushed is null
)

select
    crm_id,
    wanted
from sides
where wanted <@ mirrored;

update crm.push_state as known
set
    agreed = same.fields,
    is_settled = true,
    settled_edit = subject.edited_at,
    settled_memberships = subject.memberships_edited_at,
    settled_mirror = subject.fetched_at
from staging_same as same
inner join staging_subject as subject on same.crm_id = subject.crm_id
where
    known.crm_id = same.crm_id
    and known.agreed_version = subject.agreed_version
    and (known.agreed, known.is_settled, known.settled_edit, known.settled_memberships, known.settled_mirror)
    is distinct from (same.fields, true, subject.edited_at, subject.memberships_edited_at, subject.fetched_at);
