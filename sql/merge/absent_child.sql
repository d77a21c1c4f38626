-- Finds the customers whose answer had no list of this kind though the mirror has rows of it. The rows stay; each identity looked up gets a
-- reject. `syrve/customers/children.py` fills in the names.
select
    looked.organization_id::text as organization_id,
    looked.identity_kind,
    looked.identity_value,
    absent.list
from staging_absent as absent
inner join staging_lookup as looked
    on absent.organization_id = looked.organization_id and absent.customer_id = looked.customer_id
where
    absent.list = '%(list)s'
    and exists (
        select 1
        from syrve.%(child)s as child
        where child.organization_id = absent.organization_id and child.customer_id = absent.customer_id
    )
order by looked.organization_id, looked.identity_kind, looked.identity_value;
