-- Adds what a task counted to its row for each kind and field, and returns what the whole run has come to for them.
-- Where a change was counted, others of the same run and kind that did so too are waited for: what they counted is then in the sum.
with mine as (
    insert into sync.breaker_count as known (organization_id, run_id, kind, field, task, map_index, looked, affected)
    select
        %(organization_id)s::uuid,
        %(run_id)s,
        %(kind)s,
        counted.field,
        %(task)s,
        %(map_index)s,
        %(looked)s,
        counted.affected
    from unnest(%(fields)s::text[], %(affected)s::bigint[]) as counted (field, affected)
    order by counted.field
    on conflict (organization_id, run_id, kind, field, task, map_index) do update
        set looked = known.looked + excluded.looked, affected = known.affected + excluded.affected, counted_at = now()
    returning known.field, known.looked, known.affected
)

select
    mine.field,
    mine.looked + coalesce(sum(others.looked), 0)::bigint as looked,
    mine.affected + coalesce(sum(others.affected), 0)::bigint as affected
from mine
left join sync.breaker_count as others
    on
        others.organization_id = %(organization_id)s
        and others.run_id = %(run_id)s
        and others.kind = %(kind)s
        and mine.field = others.field
        and (others.task, others.map_index) <> (%(task)s, %(map_index)s)
group by mine.field, mine.looked, mine.affected
order by mine.field;
