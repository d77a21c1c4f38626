-- Close rejects that a person has seen to.
update sync.reject
set resolved_at = now()
where reject_id = any(%(reject_ids)s) and resolved_at is null
returning reject_id;
