alter table sync.call_budget drop column next_backfill_at;
alter table sync.call_budget drop column pull_at;
drop index sync.roster_backfill;
alter table sync.roster drop column backfill_id;
drop table sync.backfill;
