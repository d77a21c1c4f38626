-- Reports one staged state of each order; a batch with several of one order takes a turn for each.
insert into wallet.payment_order (organization_id, order_id, state, amount, state_at, source)
select
    staged.organization_id,
    staged.order_id,
    staged.state,
    staged.amount,
    staged.state_at,
    staged.source
from staging_order as staged
where staged.turn = %(turn)s
on conflict (organization_id, order_id) do update
    set
        state = excluded.state,
        amount = coalesce(excluded.amount, payment_order.amount),
        state_at = excluded.state_at,
        source = excluded.source;
