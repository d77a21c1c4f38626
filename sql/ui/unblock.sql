-- Let a blocked row go again.
delete from crm.push_blocked
where crm_id = %(crm_id)s
returning crm_id;
