-- What a task compares before it moves money: the server that the ledger is in, its newest marked epoch, which of the marks' epochs it has, the fence that is
-- closed, and what the fences that were lifted accepted.
select
    wallet.ledger_server() as server,
    (select newest.epoch_id::text from wallet.epoch as newest where newest.is_marked order by newest.number desc limit 1) as newest_epoch,
    array(select known.epoch_id::text from wallet.epoch as known where known.epoch_id = any(%(epochs)s::uuid[])) as known_epochs,
    (select closed.reason from wallet.closed_fence as closed order by closed.fence_id limit 1) as closed_reason,
    coalesce((
        select jsonb_agg(distinct item.value)
        from wallet.fence as closed
        inner join wallet.fence_lift as lifted on closed.fence_id = lifted.fence_id
        cross join jsonb_array_elements(closed.evidence) as item
    ), '[]') as accepted;
