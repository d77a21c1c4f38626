-- Notes a backfill under its run; a run that is planned again goes on with the one that it has.
insert into sync.backfill as known (run_id, criteria, calls_per_minute)
values (%(run_id)s, %(criteria)s, %(cap_per_minute)s)
on conflict (run_id) do update
    set run_id = known.run_id
returning known.backfill_id, known.started_at, known.planned_at is not null as is_planned;
