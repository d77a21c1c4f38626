-- Adds the counts of a batch to the row of its task.
insert into sync.run as counted (
    run_id, task, map_index, requested, found, not_found, changed, unchanged, rejected, failed, cleaned, calls, retries,
    rate_limited, held_back, seconds, changed_tables
)
values (
    %(run_id)s, %(task)s, %(map_index)s, %(requested)s, %(found)s, %(not_found)s, %(changed)s, %(unchanged)s,
    %(rejected)s, %(failed)s, %(cleaned)s, %(calls)s, %(retries)s, %(rate_limited)s, %(held_back)s, %(seconds)s, %(changed_tables)s
)
on conflict (run_id, task, map_index) do update
    set
        requested = counted.requested + excluded.requested,
        found = counted.found + excluded.found,
        not_found = counted.not_found + excluded.not_found,
        changed = counted.changed + excluded.changed,
        unchanged = counted.unchanged + excluded.unchanged,
        rejected = counted.rejected + excluded.rejected,
        failed = counted.failed + excluded.failed,
        cleaned = counted.cleaned + excluded.cleaned,
        calls = counted.calls + excluded.calls,
        retries = counted.retries + excluded.retries,
        rate_limited = counted.rate_limited + excluded.rate_limited,
        held_back = counted.held_back + excluded.held_back,
        seconds = counted.seconds + excluded.seconds,
        changed_tables = array(select distinct unnest(counted.changed_tables || excluded.changed_tables) order by 1),  -- noqa: RF01
        updated_at = greatest(counted.updated_at, now());  -- sync.put_times_right() sees by it that the clock was set back
