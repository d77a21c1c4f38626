-- Conflicts that wait for a decision, the oldest first; personal values are masked.
select
    conflict_id,
    crm_id,
    field,
    crm_value,
    syrve_value,
    found_at
from crm.conflict_masked
where closed_at is null and outcome = 'waits' and decision is null
order by conflict_id
limit %(most)s;
