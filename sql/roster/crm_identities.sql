-- Identities of the CRM's rows. A customer whom the roster finds already, under whatever identity, is looked up under that one alone.
select
    wished.organization_id::text as organization_id,
    wished.customer_id::text as id,
    wished.phone
from crm.customer as wished
where
    not exists (
        select 1
        from sync.roster as known
        where
            known.organization_id = wished.organization_id
            and known.customer_id = wished.customer_id
            and known.outcome = 'found'
    )
order by wished.crm_id;
