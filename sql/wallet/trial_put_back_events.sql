-- Puts the events of one number back, of the operations that trial_put_back.sql has put back: in order, as each follows the one before.
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
where happened.sequence = %(turn)s
order by happened.operation_id
on conflict (operation_id, sequence) do nothing;
