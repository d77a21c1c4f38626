-- Keeps what notifications report of balances.
insert into wallet.notified_movement (
    organization_id, content_key, customer_id, wallet_id, amount, balance_after, type_name, order_id, order_number, moved_at, received_at
)
select
    organization_id,
    content_key,
    customer_id,
    wallet_id,
    change as amount,
    balance as balance_after,
    change_type as type_name,
    order_id,
    order_number,
    happened_at as moved_at,
    received_at
from staging_signal
where kind = 'balance' and customer_id is not null
order by organization_id, content_key
on conflict do nothing;
