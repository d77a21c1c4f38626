-- depends: 0010.freshness
-- A backfill is chosen in steps, each of which commits; and what is left of it is found in an order that what is done does not lengthen.

alter table sync.backfill add column planned_at timestamptz;
comment on column sync.backfill.planned_at is 'When all its identities had been chosen; null while that goes on, or where it was cut off.';

drop index sync.roster_backfill;
create index roster_backfill on sync.roster (backfill_id, organization_id, identity_value) where backfill_id is not null;
comment on column sync.roster.backfill_id is
'Backfill that still has to look this identity up; null is none. Any look-up that got an answer clears it, whoever made it.';
