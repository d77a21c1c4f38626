-- Notes that a channel took the message about these. One that ended while it was sent is told of by the next run.
update sync.alert
set
    end_told_at = case when told_at is null then end_told_at else now() end,
    told_at = coalesce(told_at, now())
where alert_id = any(%(alert_ids)s);
