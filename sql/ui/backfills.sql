-- The newest backfills with what each has left, counted no further than a bound.
select
    backfill.backfill_id,
    backfill.run_id,
    backfill.requested,
    backfill.calls_per_minute,
    backfill.started_at,
    backfill.finished_at,
    extract(epoch from coalesce(backfill.finished_at, now()) - coalesce(backfill.planned_at, backfill.started_at)) as seconds,
    case
        when backfill.finished_at is not null then 0
        else (
            select count(*)
            from (
                select roster.backfill_id
                from sync.roster as roster
                where roster.backfill_id = backfill.backfill_id
                order by roster.organization_id, roster.identity_value
                limit %(most_left)s
            ) as left_over
        )
    end as left_over
from sync.backfill as backfill
order by backfill.backfill_id desc
limit 10;
