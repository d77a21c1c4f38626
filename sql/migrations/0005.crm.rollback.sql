drop table crm.field_policy;
drop table crm.customer_program;
drop table crm.customer_card;
drop table crm.customer_category;
drop function crm.note_membership_edit();
drop table crm.customer;
drop function crm.note_edit();
drop function crm.free_number();
