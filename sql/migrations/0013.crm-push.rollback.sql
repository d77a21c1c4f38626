comment on column sync.reject.entity is 'What it is: customer, coupon_series, coupon, roster, or organization (passed over as a whole).';
comment on column sync.reject.stage is 'Where it was stopped: look_up (whole answer), field (one field of a record that was taken in), import, or a call''s name.';

drop table crm.remote_change;
drop table crm.conflict;
drop table crm.push_blocked;
drop table crm.push;
drop table crm.push_plan;
drop table crm.push_plan_summary;
drop sequence crm.push_plan_id;
drop table crm.push_state;
