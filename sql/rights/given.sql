-- Who may do what with our schemas and what is in them, make temporary tables, or take advisory locks. The owners' own rights are left out.
with granted as (
    select
        'schema ' || space.nspname as thing,
        space.nspowner as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_namespace as space
    cross join lateral aclexplode(coalesce(space.nspacl, acldefault('n', space.nspowner))) as acl
    where space.nspname = any(%(schemas)s)
    union all
    select
        relation.oid::regclass::text as thing,
        relation.relowner as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_class as relation
    cross join lateral aclexplode(relation.relacl) as acl
    where relation.relnamespace::regnamespace::text = any(%(schemas)s)
    union all
    select
        relation.oid::regclass::text || ' (' || attribute.attname || ')' as thing,
        relation.relowner as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_attribute as attribute
    inner join pg_class as relation on attribute.attrelid = relation.oid
    cross join lateral aclexplode(attribute.attacl) as acl
    where relation.relnamespace::regnamespace::text = any(%(schemas)s)
    union all
    select
        'function ' || routine.oid::regprocedure::text as thing,
        routine.proowner as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_proc as routine
    cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as acl
    where
        routine.pronamespace::regnamespace::text = any(%(schemas)s)
        or (routine.pronamespace = 'pg_catalog'::regnamespace and routine.proname ~ %(closed)s)
    union all
    select
        'later functions' as thing,
        0 as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_default_acl as later
    cross join lateral aclexplode(later.defaclacl) as acl
    where later.defaclobjtype = 'f' and later.defaclnamespace = 0 and later.defaclrole = (select ours.nspowner from pg_namespace as ours where ours.nspname = 'sync')
    union all
    select
        'the database' as thing,
        place.datdba as owner_id,
        acl.grantee,
        acl.privilege_type,
        acl.is_grantable
    from pg_database as place
    cross join lateral aclexplode(coalesce(place.datacl, acldefault('d', place.datdba))) as acl
    where place.datname = current_database() and acl.privilege_type = 'TEMPORARY'
)

select
    lower(granted.privilege_type) as privilege,
    granted.thing,
    case granted.grantee when 0 then 'everybody' else pg_get_userbyid(granted.grantee)::text end as grantee,
    granted.is_grantable
from granted
where granted.grantee <> granted.owner_id or granted.owner_id = 0;
