-- Makes every identity of the organizations due at once.
update sync.roster
set due_at = now()
where organization_id = any(%(organization_ids)s::uuid[]) and due_at > now();
