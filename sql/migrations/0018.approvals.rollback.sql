<<<<<<< HEAD
drop function sync.decide_breaker(bigint, text, timestamptz, text);
drop function sync.breaker_digest(bigint, text, timestamptz);
alter table sync.breaker drop column approval_id;
=======
drop trigger asked_is_final on crm.push_plan;
drop trigger content_is_final on crm.push_plan;
drop function crm.refuse_rows_once_asked();
drop function crm.refuse_other_content();
>>>>>>> main
drop view sync.approval_state;
drop table sync.approval_event;
drop table sync.approval;
drop function sync.wait_for_push_plan();
