-- Removes rejects that are open and were not seen again for long: they hold what was received.
with old as (
    select open.reject_id
    from sync.reject as open
    where open.resolved_at is null and open.last_seen_at < now() - make_interval(days => %(days)s)
    order by open.reject_id
    limit %(batch_rows)s
),

removed as (
    delete from sync.reject as open
    using old
    where open.reject_id = old.reject_id
    returning 1
)

select count(*) as removed
from removed;
