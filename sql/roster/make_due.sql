-- Makes every identity of some customers of one organization due now, and keeps them active for a while where asked: for whoever knows that
-- something happened to them, such as a hold or a push.
update sync.roster
set
    due_at = least(due_at, now()),
    active_until = case
        when %(active_for_seconds)s > 0 then greatest(active_until, now() + make_interval(secs => %(active_for_seconds)s))
        else active_until
    end
where organization_id = %(organization_id)s and customer_id = any(%(customer_ids)s::uuid[]);
