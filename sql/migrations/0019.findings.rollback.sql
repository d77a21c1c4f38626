drop view analytics.holds_at_risk;
drop trigger keep_version on wallet.finding;
drop function wallet.keep_finding_version();
drop function wallet.finding_as_of(timestamptz);
drop table wallet.finding_count;
drop table wallet.finding_evaluation;
drop index wallet.finding_resolved;
drop index wallet.finding_version_at;
