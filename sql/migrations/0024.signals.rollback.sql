drop view analytics.signal_quality;
drop table wallet.notified_movement;
drop table sync.order_bookmark;
drop table sync.signal_day;
drop function sync.signal_worth(double precision, double precision);
drop table sync.signal_precision;
drop table sync.signal;
drop function privacy.drop_erased_signals();
drop table sync.signal_secret;
