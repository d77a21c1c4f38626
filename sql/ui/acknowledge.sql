-- A person knows of these findings and leaves their holds alone.
update wallet.finding
set status = 'acknowledged'
where finding_id = any(%(finding_ids)s::uuid[]) and status = 'open' and resolved_at is null
returning finding_id;
