-- Releases that lacked evidence, and whose hold is over by the ledger meanwhile: an import or a settlement has told. Where Syrve's confirmation
-- and the balance contradict each other, the ledger has no more than that confirmation, so a person has to look.
select
    missing.request_id::text,
    missing.release_id::text,
    hold.closed_by
from wallet.release_state as missing
inner join wallet.hold as hold on missing.hold_id = hold.hold_id
where
    missing.state = 'unsettled'
    and hold.closed_at is not null
    and not missing.evidence ? 'balance_fell_by'
order by missing.asked_at, missing.place;
