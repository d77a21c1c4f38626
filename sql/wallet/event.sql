-- Adds the next event of an operation; adds nothing if another process has added one since.
insert into wallet.operation_event (operation_id, sequence, state, correlation_id, evidence, basis, occurred_at)
values (
    %(operation_id)s,
    %(after)s + 1,
    %(state)s,
    %(correlation_id)s,
    %(evidence)s,
    case when %(state)s in ('confirmed', 'rejected') then %(basis)s end,
    coalesce(%(occurred_at)s::timestamptz, clock_timestamp())
)
on conflict (operation_id, sequence) do nothing
returning sequence;
