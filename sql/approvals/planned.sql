-- Whether a run has planned a content with this digest before.
select planned.planned_at
from sync.planned_content as planned
where
    planned.kind = %(kind)s
    and planned.dag_id = %(dag_id)s
    and planned.run_id = %(run_id)s
    and planned.digest = %(digest)s
order by planned.planned_at
limit 1;
