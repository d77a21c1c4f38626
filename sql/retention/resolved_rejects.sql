-- Removes rejects that were resolved long ago.
with old as (
    select done.reject_id
    from sync.reject as done
    where done.resolved_at < now() - make_interval(days => %(days)s)
    order by done.reject_id
    limit %(batch_rows)s
),

removed as (
    delete from sync.reject as done
    using old
    where done.reject_id = old.reject_id
    returning 1
)

select count(*) as removed
from removed;
