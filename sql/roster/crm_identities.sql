-- Identities of the CRM's rows. A customer whom the roster finds already, under any identity, is looked up under that one alone.
select
    desired.organization_id::text as organization_id,
    desired.customer_id::text as id,
    desired.phone
from crm.customer as desired
where
    not exists (
        select 1
        from sync.roster as known
        where
            known.organization_id = desired.organization_id
            and known.customer_id = desired.customer_id
            and known.outcome = 'found'
    )
order by desired.crm_id;
