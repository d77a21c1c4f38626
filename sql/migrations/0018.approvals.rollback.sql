drop view sync.approval_state;
drop table sync.approval_event;
drop table sync.approval;
