-- From when the ledger may lack operations that were sent, null if no fence was lifted lately that shows it to be older than the world; the time; its id.
-- What was lost was sent after the newest epoch that the ledger had when it was set back.
with set_back as (
    select min(closed.closed_at) as closed_at
    from wallet.fence as closed
    inner join wallet.fence_lift as lifted on closed.fence_id = lifted.fence_id
    where
        lifted.lifted_at > clock_timestamp() - make_interval(days => %(days)s)
        and exists (select from jsonb_array_elements(closed.evidence) as item where item.value ->> 'what' is distinct from 'other server')
)

select
    case
        when set_back.closed_at is not null
            then coalesce(
                (select max(known.begun_at) from wallet.epoch as known where known.begun_at < set_back.closed_at),
                set_back.closed_at - make_interval(days => %(days)s)
            ) - interval '1 day'
    end as since,
    clock_timestamp() as now,
    (select own.ledger_id::text from wallet.ledger as own) as ledger_id
from set_back;
