drop table wallet.finding_count;
drop table wallet.finding_evaluation;
drop function wallet.finding_as_of(timestamptz);
drop table wallet.finding_version;
drop table wallet.finding;
drop function wallet.keep_finding_version();
