-- Records a payment once, with its first event; an existing one is left as it is, and nothing comes back.
with begun as (
    insert into wallet.payment (organization_id, payment_key, order_id, customer_id, wallet_id, amount, policy)
    values (%(organization_id)s, %(payment_key)s, %(order_id)s, %(customer_id)s, %(wallet_id)s, %(amount)s, %(policy)s)
    on conflict (organization_id, payment_key) do nothing
    returning payment_id
)

insert into wallet.payment_event (payment_id, sequence, state)
select
    begun.payment_id,
    1 as sequence,
    'begun' as state
from begun
returning payment_id;
