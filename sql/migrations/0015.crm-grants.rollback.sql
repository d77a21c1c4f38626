do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        revoke update (policy) on crm.field_policy from syrve_ops;
        revoke update (decision) on crm.conflict from syrve_ops;
        revoke all on crm.field_policy, crm.push_plan_summary, crm.push, crm.push_blocked, crm.conflict from syrve_ops;
        revoke all on schema crm from syrve_ops;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        revoke all on
        crm.customer_category, crm.customer_card, crm.customer_program, crm.field_policy, crm.push_state, crm.push_plan,
        crm.push_plan_summary, crm.push, crm.push_blocked, crm.conflict, crm.remote_change, crm.desired_state, crm.syrve_state from syrve_loader;
        revoke insert, update on crm.customer from syrve_loader;
        revoke all on all sequences in schema crm from syrve_loader;
    end if;
end
$$;
