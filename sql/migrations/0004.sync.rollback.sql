drop table sync.call_budget;
drop table sync.backfill;
drop table sync.refresh_policy;
drop function sync.lease_is_held(integer, integer);
drop table sync.coupon_watch;
drop table sync.reject;
drop table sync.run;
drop table sync.roster;
drop sequence sync.lease_id;
