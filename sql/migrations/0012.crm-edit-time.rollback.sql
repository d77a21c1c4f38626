drop trigger note_edit on crm.customer;
drop function crm.note_edit();
alter table crm.customer drop column edited_at;
