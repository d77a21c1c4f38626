-- Questions of runs that wait for an answer: who started the run, and the newest answer that did not count.
select
    asked.dag_id,
    asked.run_id,
    asked.kind,
    asked.requested_by,
    asked.answer_until,
    ignored.decided_by as not_counted_by,
    ignored.reason as not_counted_because
from sync.approval as asked
left join lateral (
    select
        event.decided_by,
        event.reason
    from sync.approval_event as event
    where event.approval_id = asked.approval_id and event.state = 'not_counted'
    order by event.sequence desc
    limit 1
) as ignored on true
where
    asked.asked_at > now() - interval '14 days'
    and (asked.answer_until is null or asked.answer_until > now())
    and not exists (
        select from sync.approval_event as event
        where event.approval_id = asked.approval_id and event.state <> 'not_counted'
    )
order by asked.asked_at desc
limit %(most)s;
