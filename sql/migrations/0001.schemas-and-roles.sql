-- Schemas, and the group roles that people and DAGs are granted. Roles belong to the whole server: where the owner may not create
-- them, an administrator creates them by the same names and runs 0005 again.

create schema syrve;
comment on schema syrve is 'Mirror of what Syrve knows: one row a thing, as last seen. Written by the DAGs only.';

create schema sync;
comment on schema sync is 'How the mirror is kept: the roster of identities to look up, runs, and records that could not be taken in.';

create schema crm;
comment on schema crm is 'What the CRM wants Syrve to hold. Written by the CRM.';

do $$
declare
    role_name text;
begin
    foreach role_name in array array['syrve_loader', 'syrve_analyst', 'syrve_ops'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            begin
                execute format('create role %I nologin', role_name);
            exception
                when insufficient_privilege then
                    raise notice 'role % is missing and could not be created', role_name;
                when duplicate_object or unique_violation then
                    null;
            end;
        end if;
    end loop;
end
$$;
