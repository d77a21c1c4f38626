-- Reports that an order is in a state now.
insert into wallet.payment_order (organization_id, order_id, state, amount, state_at, source)
values (%(organization_id)s, %(order_id)s, %(state)s, %(amount)s, clock_timestamp(), %(source)s)
on conflict (organization_id, order_id) do update
    set
        state = excluded.state,
        amount = coalesce(excluded.amount, payment_order.amount),
        state_at = excluded.state_at,
        source = excluded.source;
