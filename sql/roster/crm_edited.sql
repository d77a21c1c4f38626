-- Makes the customers due whom the CRM has edited since they were last looked up, so that its wishes are compared with what is true now.
update sync.roster as known
set due_at = now()
from crm.customer as edited
where
    edited.edited_at > now() - make_interval(secs => %(edited_within_seconds)s)
    and known.organization_id = edited.organization_id
    and known.customer_id = edited.customer_id
    and known.checked_at < edited.edited_at
    and known.due_at > now();
