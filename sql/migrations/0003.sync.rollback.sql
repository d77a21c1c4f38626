drop table sync.coupon_watch;
drop table sync.reject;
drop table sync.run;
drop table sync.roster;
drop sequence sync.lease_id;
