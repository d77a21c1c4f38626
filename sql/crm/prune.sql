-- Deletes a batch of what the push no longer needs: see the function's comment.
select
    plan_rows,
    attempts,
    plans,
    conflicts
from crm.prune_push(%(plan_days)s, %(attempt_days)s, %(batch_rows)s);
