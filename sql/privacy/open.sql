-- The erasures of a run that are not done yet, in one order for all runs.
select asked.erasure_id::text as erasure_id
from privacy.erasure as asked
where asked.dag_id = %(dag_id)s and asked.run_id = %(run_id)s and asked.erased_at is null
order by asked.erasure_id;
