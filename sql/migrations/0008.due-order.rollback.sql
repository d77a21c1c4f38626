drop trigger note_edit on crm.customer;
drop function crm.note_edit();
alter table crm.customer drop column edited_at;
alter table syrve.organization drop column account;
drop table sync.refresh_policy;
drop index sync.roster_active;
alter table sync.roster reset (fillfactor);
alter table sync.roster drop column confirmed_at;
alter table sync.roster drop column active_until;
