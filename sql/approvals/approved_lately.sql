-- How much money was approved within a number of seconds.
select coalesce(sum(event.amount), 0) as amount
from sync.approval_event as event
inner join sync.approval as approval on event.approval_id = approval.approval_id
where
    event.state = 'approved'
    and approval.kind = %(kind)s
    and event.occurred_at > clock_timestamp() - make_interval(secs => %(seconds)s);
