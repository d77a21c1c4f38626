-- Moves the agreement where it needs no call: values that are equal on both sides are agreed, fields that are no longer managed are not. An
-- agreement that an acknowledgement has moved since it was read here stays as it is, for the next plan.
with base as (
    select
        subject.crm_id,
        subject.agreed_version,
        coalesce(
            jsonb_object_agg(change.key, case when change.verdict = 'equal' then change.wanted else change.agreed end)
            filter (where change.verdict = 'equal' or change.has_agreed),
            '{}'
        ) as agreed
    from staging_subject as subject
    left join staging_field_change as change on subject.crm_id = change.crm_id
    where subject.kind = 'update' and not exists (select 1 from staging_same as same where same.crm_id = subject.crm_id)
    group by subject.crm_id, subject.agreed_version
)

update crm.push_state as known
set agreed = base.agreed
from base
where known.crm_id = base.crm_id and known.agreed_version = base.agreed_version and known.agreed <> base.agreed;
