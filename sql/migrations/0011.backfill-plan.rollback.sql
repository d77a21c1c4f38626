drop index sync.roster_backfill;
create index roster_backfill on sync.roster (backfill_id, organization_id) where backfill_id is not null;
alter table sync.backfill drop column planned_at;
