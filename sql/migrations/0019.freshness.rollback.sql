drop view analytics.sync_freshness;
drop function sync.explain_due(uuid, text);
drop view sync.refresh_interval;
drop function sync.refresh_days(double precision, double precision, double precision, double precision, double precision, double precision);
drop function sync.refresh_days(double precision, double precision, double precision, double precision, double precision);
drop function sync.change_rate(double precision, double precision, double precision, double precision, double precision);
drop function sync.change_band(text, double precision, double precision);
drop table sync.refresh_evidence;
drop table sync.refresh_fit;
