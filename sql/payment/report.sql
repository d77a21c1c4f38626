-- Records what the caller reports of its order, once: another report before it stays, and is what counts.
insert into wallet.payment_event (payment_id, sequence, state, occurred_at, evidence)
values (%(payment_id)s, 2, %(state)s, clock_timestamp(), %(evidence)s)
on conflict (payment_id, sequence) do nothing;
