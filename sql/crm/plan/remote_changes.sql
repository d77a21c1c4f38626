-- Shows the CRM what only Syrve changed, and no longer what it has taken over or overruled; closes the read-back findings that are over.
delete from crm.remote_change as shown
using staging_subject as subject
where
    shown.crm_id = subject.crm_id
    and subject.kind in ('create', 'update')
    and not exists (
        select 1
        from staging_wish as wish
        where wish.crm_id = shown.crm_id and wish.key = shown.field and wish.verdict = 'remote'
    );

insert into crm.remote_change as shown (crm_id, field, organization_id, customer_id, crm_value, syrve_value, seen_at)
select
    wish.crm_id,
    wish.key,
    subject.organization_id,
    subject.customer_id,
    wish.wanted,
    wish.mirrored,
    subject.fetched_at
from staging_wish as wish
inner join staging_subject as subject on wish.crm_id = subject.crm_id
where wish.verdict = 'remote'
on conflict (crm_id, field) do update
    set crm_value = excluded.crm_value, syrve_value = excluded.syrve_value, seen_at = excluded.seen_at
    where (shown.crm_value, shown.syrve_value) is distinct from (excluded.crm_value, excluded.syrve_value);

with settled as (
    select
        subject.organization_id,
        'crm_id ' || subject.crm_id as identity
    from staging_subject as subject
    left join staging_wish as wish on subject.crm_id = wish.crm_id and wish.verdict = 'remote'
    where subject.kind = 'update' and wish.crm_id is null
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
