-- depends: 0014.crm-states
-- The loader stores ids and imported wishes in crm.customer but deletes nobody there; attempts are append-only for it.

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant select, insert, update on crm.customer, crm.customer_category, crm.customer_card, crm.customer_program to syrve_loader;
        grant usage on all sequences in schema crm to syrve_loader;
        grant select on crm.field_policy, crm.desired_state, crm.syrve_state to syrve_loader;
        grant select, insert, update, delete
        on crm.push_state, crm.push_plan, crm.push_plan_summary, crm.push_blocked, crm.conflict, crm.remote_change to syrve_loader;
        grant select, insert on crm.push to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant usage on schema crm to syrve_ops;
        grant select on crm.field_policy, crm.push_plan_summary, crm.push, crm.push_blocked, crm.conflict to syrve_ops;
        grant update (policy) on crm.field_policy to syrve_ops;
        grant delete on crm.push_blocked to syrve_ops;
        grant update (decision) on crm.conflict to syrve_ops;
    end if;
end
$$;
