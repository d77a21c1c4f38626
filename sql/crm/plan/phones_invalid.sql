-- Refuses rows that would create a customer under a phone that nobody can have, or give it to one.
update staging_subject
set kind = 'refused', reason = 'phone is no valid number: nobody can have it'
where crm_id = any(%(crm_ids)s);
