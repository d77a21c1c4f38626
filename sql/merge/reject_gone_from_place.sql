-- Closes what an earlier import of a file or query rejected, and the import that has now read all of it did not.
update sync.reject
set resolved_at = now()
where
    resolved_at is null
    and entity = %(entity)s
    and stage = %(stage)s
    and payload -> 'received' ->> 'place' = %(place)s
    and run_id <> %(run_id)s;
