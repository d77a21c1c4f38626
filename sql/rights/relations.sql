-- Views and tables of some schemas with comments, primary keys and columns; no partitions.
select
    relation.relnamespace::regnamespace::text as schema_name,
    relation.relname,
    coalesce(obj_description(relation.oid, 'pg_class'), '') as comment,
    (
        select array_agg(attribute.attname::text order by array_position(key.conkey, attribute.attnum))
        from pg_constraint as key
        inner join pg_attribute as attribute on key.conrelid = attribute.attrelid and attribute.attnum = any(key.conkey)
        where key.conrelid = relation.oid and key.contype = 'p'
    ) as primary_key,
    (
        select
            jsonb_agg(
                jsonb_build_array(
                    attribute.attname,
                    format_type(attribute.atttypid, attribute.atttypmod),
                    coalesce(col_description(relation.oid, attribute.attnum), '')
                )
                order by attribute.attnum
            )
        from pg_attribute as attribute
        where attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped
    ) as columns
from pg_class as relation
where
    relation.relnamespace::regnamespace::text = any(%(schemas)s)
    and relation.relkind in ('r', 'p', 'v')
    and not relation.relispartition
order by relation.relnamespace::regnamespace::text, relation.relname;
