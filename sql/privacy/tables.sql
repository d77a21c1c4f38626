-- Where may a person be? Tables with a customer, of which rows are found by that; rows of the CRM by their crm_id; the roster and rejects besides.
with columns as (
    select
        relation.relname,
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
        when columns.nspname = 'crm' and 'crm_id' = any(columns.names)
            then 'held.crm_id in (select privacy.crm_ids_of(%(organization_id)s::uuid, %(customer_id)s::uuid, null))'
        when columns.name in ('wallet.operation_event')
            then 'held.operation_id in (select moved.operation_id from wallet.operation as moved'
            || ' where moved.organization_id = %(organization_id)s::uuid and moved.customer_id = %(customer_id)s::uuid)'
        when columns.name = 'sync.reject'
            then 'held.organization_id = %(organization_id)s::uuid and exists (select from privacy.identities_of('
            || '%(organization_id)s::uuid, %(customer_id)s::uuid, null) as mine'
            || ' where strpos(lower(concat_ws('' '', held.identity, held.payload)), lower(mine.identity_value)) > 0)'
        else 'held.organization_id = %(organization_id)s::uuid and held.customer_id = %(customer_id)s::uuid'
    end as condition
from columns
where
    ('customer_id' = any(columns.names) and 'organization_id' = any(columns.names))
    or (columns.nspname = 'crm' and 'crm_id' = any(columns.names))
    or columns.name in ('wallet.operation_event', 'sync.reject')
order by columns.name;
