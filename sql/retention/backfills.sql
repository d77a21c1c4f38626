-- Removes backfills that ended long ago and that no identity waits for.
select sync.prune_backfills(%(days)s, %(batch_rows)s) as removed;
