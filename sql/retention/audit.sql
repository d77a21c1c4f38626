-- Removes old entries of the audit of the Syrve page.
select sync.prune_audit(%(days)s, %(batch_rows)s) as removed;
