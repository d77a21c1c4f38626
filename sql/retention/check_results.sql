-- Removes results of checks that were made long ago.
select sync.prune_check_results(%(days)s, %(batch_rows)s) as removed;
