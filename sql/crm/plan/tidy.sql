-- Forgets what is known about rows that the CRM has deleted.
with gone as (
    delete from crm.push_state as known
    where not exists (select 1 from crm.customer as desired where desired.crm_id = known.crm_id)
    returning known.crm_id
),

parted as (
    update crm.push_state as known
    set joined_to = null, joined_fields = null, is_settled = false
    where
        known.joined_to in (select gone.crm_id from gone)
        and exists (select 1 from crm.customer as desired where desired.crm_id = known.crm_id)
),

unheld as (
    delete from crm.push_held_back
    where crm_id in (select gone.crm_id from gone)
),

unblocked as (
    delete from crm.push_blocked
    where crm_id in (select gone.crm_id from gone)
),

unseen as (
    delete from crm.remote_change
    where crm_id in (select gone.crm_id from gone)
)

update crm.conflict
set closed_at = now()
where closed_at is null and crm_id in (select gone.crm_id from gone);
