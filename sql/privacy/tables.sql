-- Where may a person be? `found_by` says by which column of a table rows are found: customer_id, crm_id (rows of the CRM), or its own way for the
-- events of the ledger, rejects and the audit. By the catalogue, so that a table that is added is not forgotten.
with columns as (
    select
        namespace.nspname,
        format('%I.%I', namespace.nspname, relation.relname) as name,
        array_agg(attribute.attname::text) as names
    from pg_catalog.pg_class as relation
    inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
    inner join pg_catalog.pg_attribute as attribute on relation.oid = attribute.attrelid
    where
        namespace.nspname in ('syrve', 'sync', 'crm', 'wallet')
        and relation.relkind in ('r', 'p')
        and not relation.relispartition
        and attribute.attnum > 0
        and not attribute.attisdropped
    group by namespace.nspname, relation.relname
)

select
    columns.name,
    case
        when columns.name in ('wallet.operation_event', 'sync.reject', 'sync.audit') then columns.name
        when columns.nspname = 'crm' and 'crm_id' = any(columns.names) then 'crm_id'
        else 'customer_id'
    end as found_by
from columns
where
    columns.name in ('wallet.operation_event', 'sync.reject', 'sync.audit')
    or (columns.nspname = 'crm' and 'crm_id' = any(columns.names))
    or ('customer_id' = any(columns.names) and 'organization_id' = any(columns.names))
order by columns.name;
