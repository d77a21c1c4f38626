do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        revoke all on all tables in schema sync from syrve_ops;
        revoke all on schema sync from syrve_ops;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        revoke all on all tables in schema syrve, sync, crm from syrve_loader;
        revoke all on all sequences in schema sync from syrve_loader;
        revoke all on schema syrve, sync, crm from syrve_loader;
    end if;
end
$$;
