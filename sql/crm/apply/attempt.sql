-- Notes the call that is about to be made, so that a death in the middle leaves a trace; and the phone of a creation, so that a lost answer
-- is looked for under that phone, even if the CRM writes another one.
update crm.push_plan
set attempt = %(attempt)s::jsonb
where plan_id = %(plan_id)s and crm_id = %(crm_id)s;

update crm.push_state
set unsure_phone = %(phone)s, unsure_at = now()
where crm_id = %(crm_id)s and %(phone)s::text is not null;
