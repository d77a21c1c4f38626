-- Removes movements that notifications reported long ago.
with old as (
    select
        moved.organization_id,
        moved.content_key
    from wallet.notified_movement as moved
    where moved.received_at < now() - make_interval(days => %(days)s)
    order by moved.received_at
    limit %(batch_rows)s
),

removed as (
    delete from wallet.notified_movement as moved
    using old
    where moved.organization_id = old.organization_id and moved.content_key = old.content_key
    returning 1
)

select count(*) as removed
from removed;
