-- Releases that lacked evidence, and whose hold is over by the ledger now: an import or a settlement has shown it. Where Syrve's confirmation
-- and the balance contradict each other, the ledger has no more than that confirmation: another source must have reported an end of the hold since.
select
    missing.request_id::text,
    missing.release_id::text,
    hold.closed_by
from wallet.release_state as missing
inner join lateral (
    select one.*
    from wallet.hold as one
    where one.hold_id = missing.hold_id or one.transaction_id = missing.hold_id
    order by one.hold_id = missing.hold_id desc
    limit 1
) as hold on true
where
    missing.state = 'unsettled'
    and hold.closed_at is not null
    and (
        not (missing.evidence ? 'balance_fell_by' or missing.evidence ? 'balance_did_not_rise')
        or exists (
            select 1
            from wallet.operation as ending
            inner join wallet.operation_event as event on ending.operation_id = event.operation_id and event.state = 'confirmed'
            where
                ending.hold_id in (hold.hold_id, hold.transaction_id)
                and (ending.kind = 'cancel_hold' or ending.consumes_hold)
                and ending.operation_id is distinct from missing.operation_id
                and event.recorded_at > missing.state_at
        )
    )
order by missing.asked_at, missing.place;
