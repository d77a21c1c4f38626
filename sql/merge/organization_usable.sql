-- Closes the rejects about an organization that has now been served.
update sync.reject
set resolved_at = now()
where
    resolved_at is null
    and entity = 'organization'
    and organization_id = %(organization_id)s
    and stage = %(stage)s;
