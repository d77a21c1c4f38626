-- depends: 0004.crm
-- The DAGs log in with a role that is granted syrve_loader: rows, but no tables.

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant usage on schema syrve, sync, crm to syrve_loader;
        grant select, insert, update, delete on all tables in schema syrve, sync to syrve_loader;
        grant usage on all sequences in schema sync to syrve_loader;
        grant select on crm.customer to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant usage on schema sync to syrve_ops;
        grant select on sync.run, sync.reject, sync.roster to syrve_ops;
        grant update (resolved_at) on sync.reject to syrve_ops;
    end if;
end
$$;
