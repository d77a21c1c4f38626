-- Shows the CRM what only Syrve changed, and no longer what it has taken over or overruled; closes the read-back findings that are over.
delete from crm.remote_change as shown
using staging_subject as subject
where
    shown.crm_id = subject.crm_id
    and subject.kind in ('create', 'update')
    and not exists (
        select 1
        from staging_field_change as change
        where change.crm_id = shown.crm_id and change.key = shown.field and change.verdict = 'remote'
    );

insert into crm.remote_change as shown (crm_id, field, organization_id, customer_id, crm_value, syrve_value, seen_at)
select
    change.crm_id,
    change.key,
    subject.organization_id,
    subject.customer_id,
    change.wanted,
    change.mirrored,
    subject.fetched_at
from staging_field_change as change
inner join staging_subject as subject on change.crm_id = subject.crm_id
where change.verdict = 'remote'
on conflict (crm_id, field) do update
    set crm_value = excluded.crm_value, syrve_value = excluded.syrve_value, seen_at = excluded.seen_at
    where (shown.crm_value, shown.syrve_value) is distinct from (excluded.crm_value, excluded.syrve_value);

with settled as (
    select
        subject.organization_id,
        'crm_id ' || subject.crm_id as identity
    from staging_subject as subject
    left join staging_field_change as change on subject.crm_id = change.crm_id and change.verdict = 'remote'
    where subject.kind = 'update' and change.crm_id is null
)

update sync.reject as finding
set resolved_at = now()
from settled
where
    finding.resolved_at is null
    and finding.entity = 'crm_customer'
    and finding.stage = 'read_back'
    and finding.organization_id = settled.organization_id
    and finding.identity = settled.identity;
