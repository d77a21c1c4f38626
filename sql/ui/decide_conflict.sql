-- Decide whose value of a field holds.
update crm.conflict
set decision = %(decision)s
where conflict_id = %(conflict_id)s and closed_at is null and outcome = 'waits'
returning conflict_id;
