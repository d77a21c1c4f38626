drop table crm.remote_change;
drop table crm.conflict;
drop table crm.push_blocked;
drop table crm.push;
drop table crm.push_plan;
drop table crm.push_plan_summary;
drop sequence crm.push_plan_id;
drop table crm.push_state;
