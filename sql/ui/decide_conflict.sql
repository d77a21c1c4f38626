-- Decide whose value of a field holds, if no person has: a window that was left open does not overrule another.
update crm.conflict
set decision = %(decision)s
where conflict_id = %(conflict_id)s and closed_at is null and outcome = 'waits' and decision is null
returning conflict_id;
