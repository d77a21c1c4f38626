-- Writes the outcome of an attempt, and that it is no longer under way.
insert into crm.push (
    plan_id, crm_id, organization_id, customer_id, step, operation, fields, outcome, status, code, correlation_id, requests, seconds,
    run_id, attempted_at
)
values (
    %(plan_id)s, %(crm_id)s, %(organization_id)s, %(customer_id)s, %(step)s, %(operation)s, %(fields)s, %(outcome)s, %(status)s, %(code)s,
    %(correlation_id)s, %(requests)s, %(seconds)s, %(run_id)s, %(attempted_at)s
);

update crm.push_plan
set attempt = null
where plan_id = %(plan_id)s and crm_id = %(crm_id)s;
