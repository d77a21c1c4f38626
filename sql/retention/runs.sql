-- Removes counts of runs that ended long ago.
with old as (
    select
        done.run_id,
        done.task,
        done.map_index
    from sync.run as done
    where done.updated_at < now() - make_interval(days => %(days)s)
    order by done.updated_at
    limit %(batch_rows)s
),

removed as (
    delete from sync.run as done
    using old
    where done.run_id = old.run_id and done.task = old.task and done.map_index = old.map_index
    returning 1
)

select count(*) as removed
from removed;
