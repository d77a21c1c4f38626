-- Removes messages about findings that were sent long ago.
select wallet.prune_notifications(%(days)s, %(batch_rows)s) as removed;
