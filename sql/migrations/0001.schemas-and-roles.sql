-- Schemas, and the group roles that people and DAGs are granted. Roles belong to the whole server: where the owner may not create
-- them, an administrator creates them by the same names before this runs. Every other file grants the rights to its own objects.

create schema syrve;
comment on schema syrve is 'Mirror of what Syrve knows: one row a thing, as last seen. Written by the DAGs only.';

create schema sync;
comment on schema sync is 'How the mirror is kept: the roster of identities to look up, runs, and records that could not be taken in.';

create schema crm;
comment on schema crm is 'What the CRM wants Syrve to hold. Written by the CRM.';

create schema wallet;
comment on schema wallet is 'Money: the ledger of wallet operations, orders, and what reconciliation finds.';

create schema analytics;
comment on schema analytics is 'Views for analysts; they hold no name, phone or e-mail address in clear.';

do $$
declare
    role_name text;
begin
    foreach role_name in array array['syrve_loader', 'syrve_analyst', 'syrve_ops', 'syrve_crm'] loop
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

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant usage on schema syrve, sync, crm, wallet to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant usage on schema sync, crm, wallet, analytics to syrve_ops;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_crm') then
        grant usage on schema crm to syrve_crm;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_analyst') then
        grant usage on schema analytics to syrve_analyst;
    end if;
end
$$;
