drop index crm.conflict_waiting;
drop index crm.push_plan_summary_planned;
drop index sync.approval_asked;
drop index sync.reject_open_newest;
drop index sync.run_updated;
drop table sync.freshness_kept;
drop table sync.audit;
