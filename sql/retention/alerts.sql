-- Removes alerts that ended long ago.
select sync.prune_alerts(%(days)s, %(batch_rows)s) as removed;
