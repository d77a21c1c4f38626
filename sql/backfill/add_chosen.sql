-- Counts what a step of the choosing has chosen.
update sync.backfill
set requested = requested + %(chosen)s
where backfill_id = %(backfill_id)s and %(chosen)s > 0;
