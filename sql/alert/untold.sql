-- Alerts of which people are still to be told: that they began and hold, or that they ended, if a channel was told that they began.
select
    alert_id,
    kind,
    subject,
    detail,
    began_at,
    ended_at
from sync.alert
where
    (told_at is null and ended_at is null)
    or (told_at is not null and ended_at is not null and end_told_at is null)
order by ended_at is not null, kind, began_at, alert_id;
