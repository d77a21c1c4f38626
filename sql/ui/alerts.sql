-- Open alerts, the oldest first.
select kind, subject, detail, began_at
from sync.alert
where ended_at is null
order by began_at, alert_id
limit %(most)s;
