drop view analytics.sync_freshness;
drop schema analytics;
