-- Removes breakers that were decided long ago and that no push goes by.
select sync.prune_breakers(%(days)s, %(batch_rows)s) as removed;
