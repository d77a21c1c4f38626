-- Where may a person be? `found_by` says how rows of a table are found: by its column customer_id, crm_id (rows of the CRM) or order_id (what became
-- of the person's orders), or in the table's own way. By the catalogue, so that a table that is added is not forgotten.
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
),

found as (
    select
        columns.name,
        case
            when columns.name in (
                'wallet.operation_event', 'wallet.operation_look', 'wallet.payment_event', 'wallet.finding_version', 'wallet.release_event',
                'wallet.contested_ending', 'sync.reject', 'sync.audit', 'sync.signal', 'syrve.coupon'
            ) then columns.name
            when columns.nspname = 'crm' and 'crm_id' = any(columns.names) then 'crm_id'
            when 'organization_id' = any(columns.names) and 'customer_id' = any(columns.names) then 'customer_id'
            when columns.name in ('wallet.payment_order', 'wallet.payment_order_version') then 'order_id'
        end as found_by
    from columns
)

select
    found.name,
    found.found_by
from found
where found.found_by is not null
order by found.name;
