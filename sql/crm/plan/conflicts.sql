-- Closes the conflicts that are over, opens those that are new, and says who wins each that stays.
update crm.conflict as open
set closed_at = now()
from staging_subject as subject
where
    open.crm_id = subject.crm_id
    and open.closed_at is null
    and subject.kind in ('create', 'update')
    and not exists (
        select 1
        from staging_field_change as change
        where
            change.crm_id = open.crm_id
            and change.key = open.field
            and change.verdict = 'conflict'
            and change.wanted is not distinct from open.crm_value
            and change.mirrored is not distinct from open.syrve_value
    );

insert into crm.conflict as open (
    crm_id, organization_id, customer_id, field, crm_value, syrve_value, agreed_value, policy, outcome
)
select
    change.crm_id,
    subject.organization_id,
    subject.customer_id,
    change.key,
    change.wanted,
    change.mirrored,
    change.agreed,
    change.policy,
    change.outcome
from staging_field_change as change
inner join staging_subject as subject on change.crm_id = subject.crm_id
where change.verdict = 'conflict'
on conflict (crm_id, field) where closed_at is null do update
    set policy = excluded.policy, outcome = excluded.outcome
    where (open.policy, open.outcome) is distinct from (excluded.policy, excluded.outcome);
