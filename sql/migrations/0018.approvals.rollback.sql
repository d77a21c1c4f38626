drop function sync.decide_breaker(bigint, text, timestamptz, text);
drop function sync.breaker_digest(bigint, text, timestamptz);
alter table sync.breaker drop column approval_id;
drop view sync.approval_state;
drop table sync.approval_event;
drop table sync.approval;
