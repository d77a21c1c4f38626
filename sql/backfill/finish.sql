-- Ends the backfill of a run. What it did not get an answer to, or found leased by another task, is handed to the scheduled pull: due at once,
-- or when the next try of a failed one is due. Gives no row where the run has no backfill.
with ended as (
    update sync.backfill
    set finished_at = coalesce(finished_at, now())
    where run_id = %(run_id)s
    returning backfill_id
),

handed_over as (
    update sync.roster as roster
    set
        backfill_id = null,
        due_at = case when roster.outcome = 'failed' then roster.due_at else least(roster.due_at, now()) end
    from ended
    where roster.backfill_id = ended.backfill_id
    returning 1
)

select
    ended.backfill_id,
    (select count(*) from handed_over) as handed_over
from ended;
