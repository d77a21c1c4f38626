-- Puts the events of one number back, of the operations that trial_put_back.sql has put back: in order, as each follows the one before. Where the ledger
-- has gone another way since, because another run imports the same, it is left as it is.
insert into wallet.operation_event (operation_id, sequence, state, occurred_at, correlation_id, evidence, basis)
select
    happened.operation_id,
    happened.sequence,
    happened.state,
    happened.occurred_at,
    happened.correlation_id,
    happened.evidence,
    happened.basis
from staging_operation_put_back as back
cross join lateral jsonb_populate_recordset(null::wallet.operation_event, back.written -> 'events') as happened
where
    happened.sequence = %(turn)s
    and (
        happened.sequence = 1
        or exists (
            select
            from wallet.operation_event as former
            cross join lateral jsonb_populate_recordset(null::wallet.operation_event, back.written -> 'events') as kept
            where
                former.operation_id = happened.operation_id
                and former.sequence = happened.sequence - 1
                and kept.sequence = former.sequence
                and kept.state = former.state
                and kept.basis is not distinct from former.basis
        )
    )
order by happened.operation_id
on conflict (operation_id, sequence) do nothing;
