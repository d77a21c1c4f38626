-- Removes what tasks of runs counted for breakers long ago: a run is judged while it goes on.
with old as (
    select
        counted.organization_id,
        counted.run_id,
        counted.kind,
        counted.field,
        counted.task,
        counted.map_index
    from sync.breaker_count as counted
    where counted.counted_at < now() - make_interval(days => %(days)s)
    limit %(batch_rows)s  -- noqa: AM09
),

removed as (
    delete from sync.breaker_count as counted
    using old
    where
        counted.organization_id = old.organization_id
        and counted.run_id = old.run_id
        and counted.kind = old.kind
        and counted.field = old.field
        and counted.task = old.task
        and counted.map_index = old.map_index
    returning 1
)

select count(*) as removed
from removed;
