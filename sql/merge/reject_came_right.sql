-- Closes rejects of rows that were imported now without a problem.
update sync.reject
set resolved_at = now()
where resolved_at is null and reject_id = any(%(reject_ids)s::bigint[]);
