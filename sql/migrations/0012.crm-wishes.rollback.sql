drop table crm.field_policy;
drop table crm.customer_program;
drop table crm.customer_card;
drop table crm.customer_category;
drop function crm.note_membership_edit();

create or replace trigger note_edit before update on crm.customer
for each row
when (
    (
        old.organization_id, old.phone, old.name, old.surname, old.middle_name, old.email, old.birthday, old.sex, old.receives_order_status,
        old.receives_promo
    )
    is distinct from (
        new.organization_id, new.phone, new.name, new.surname, new.middle_name, new.email, new.birthday, new.sex, new.receives_order_status,
        new.receives_promo
    )
)
execute function crm.note_edit();

alter table crm.customer drop column memberships_edited_at, drop column clear;
