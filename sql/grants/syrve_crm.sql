-- The CRM: writes what it wants, without the times that triggers keep, and reads the outcome.
grant usage on schema crm to syrve_crm;
grant select, delete on crm.customer to syrve_crm;
grant
insert (
    crm_id, organization_id, customer_id, phone, name, surname, middle_name, email, birthday, sex, receives_order_status, receives_promo,
    clear
),
update (
    organization_id, customer_id, phone, name, surname, middle_name, email, birthday, sex, receives_order_status, receives_promo, clear
)
on crm.customer to syrve_crm;
grant select, insert, update, delete on crm.customer_category, crm.customer_card, crm.customer_program to syrve_crm;
grant select on crm.field_policy, crm.remote_change, crm.conflict, crm.push_held_back, crm.push_blocked, crm.push, crm.push_plan_summary to syrve_crm;
