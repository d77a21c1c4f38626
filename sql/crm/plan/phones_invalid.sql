-- Refuses rows that would create a customer under a number that cannot exist, or give it to one.
update staging_subject
set kind = 'refused', reason = 'phone is not a valid number'
where crm_id = any(%(crm_ids)s);
