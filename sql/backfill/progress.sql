-- How far the backfill of a run is, all its tasks together.
select
    backfill.backfill_id,
    backfill.requested,
    coalesce(sum(run.requested), 0)::bigint as looked_up,
    coalesce(sum(run.changed), 0)::bigint as changed,
    coalesce(sum(run.not_found), 0)::bigint as not_found,
    coalesce(sum(run.rejected), 0)::bigint as rejected,
    coalesce(sum(run.failed), 0)::bigint as failed
from sync.backfill as backfill
left join sync.run as run on backfill.run_id = run.run_id and run.task = %(task)s
where backfill.run_id = %(run_id)s
group by backfill.backfill_id;
