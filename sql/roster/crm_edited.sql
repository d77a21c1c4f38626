-- Makes the customers due whom the CRM has edited since they were last looked up, so that its desired states are compared with what is true now; locks
-- them in the order of the key, as merges do.
with edited as materialized (
    select
        known.organization_id,
        known.identity_kind,
        known.identity_value
    from crm.customer as desired
    inner join sync.roster as known
        on desired.organization_id = known.organization_id and desired.customer_id = known.customer_id
    where
        desired.edited_at > now() - make_interval(secs => %(edited_within_seconds)s)
        and desired.edited_at > known.checked_at
        and known.due_at > now()
        and known.due_at < 'infinity'
    order by known.organization_id, known.identity_kind, known.identity_value
    for no key update of known
)

update sync.roster as known
set due_at = now()
from edited
where
    known.organization_id = edited.organization_id
    and known.identity_kind = edited.identity_kind
    and known.identity_value = edited.identity_value;
