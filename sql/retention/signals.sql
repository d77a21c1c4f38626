-- Removes signals that came long ago.
with old as (
    select reported.signal_id
    from sync.signal as reported
    where reported.received_at < now() - make_interval(days => %(days)s)
    order by reported.signal_id
    limit %(batch_rows)s
),

removed as (
    delete from sync.signal as reported
    using old
    where reported.signal_id = old.signal_id
    returning 1
)

select count(*) as removed
from removed;
