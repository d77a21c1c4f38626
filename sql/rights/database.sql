-- What the database itself grants to PUBLIC, and whether this login could take it away.
select
    pg_get_userbyid(ours.nspowner)::text as owner_name,
    owner.rolsuper as owner_is_superuser,
    own.rolsuper as is_superuser,
    pg_has_role(current_user, place.datdba, 'usage') as owns_database,
    (
        select bool_or(acl.grantee = 0 and acl.privilege_type = 'TEMPORARY')
        from aclexplode(coalesce(place.datacl, acldefault('d', place.datdba))) as acl
    ) as public_makes_temporary_tables,
    array(
        select routine.oid::regprocedure::text
        from pg_proc as routine
        cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as acl
        where
            routine.pronamespace = 'pg_catalog'::regnamespace
            and routine.proname ~ %(locks)s
            and acl.grantee = 0
        order by 1
    ) as public_locks,
    array(
        select routine.oid::regprocedure::text
        from pg_proc as routine
        cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as acl
        where
            routine.pronamespace = 'pg_catalog'::regnamespace
            and routine.proname ~ %(writers)s
            and acl.grantee = 0
        order by 1
    ) as public_writers,
    (
        select count(*) > 0
        from pg_namespace as common
        cross join lateral aclexplode(coalesce(common.nspacl, acldefault('n', common.nspowner))) as acl
        where common.nspname = 'public' and acl.grantee = 0 and acl.privilege_type = 'CREATE'
    ) as public_creates_objects,
    array(
        select listed.oid::regclass::text
        from pg_class as listed
        where
            listed.relnamespace = to_regnamespace('source')
            and listed.relkind = 'v'
            and not exists (
                select from pg_options_to_table(listed.reloptions) as given
                where given.option_name = 'security_barrier' and given.option_value::boolean
            )
        order by 1
    ) as open_views
from pg_namespace as ours
inner join pg_roles as owner on ours.nspowner = owner.oid
inner join pg_roles as own on own.rolname = current_user
inner join pg_database as place on place.datname = current_database()
where ours.nspname = 'sync';
