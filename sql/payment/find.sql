-- A payment by its key, with what its caller reported last, whether its content is the one given, and its policy.
select
    payment.payment_id::text,
    reported.state,
    (payment.order_id, payment.customer_id, payment.wallet_id, payment.amount)
    = (%(order_id)s, %(customer_id)s::uuid, %(wallet_id)s::uuid, %(amount)s::numeric) as is_same,
    payment.policy
from wallet.payment as payment
cross join
    lateral (
        select event.state
        from wallet.payment_event as event
        where event.payment_id = payment.payment_id
        order by event.sequence desc
        limit 1
    ) as reported
where payment.organization_id = %(organization_id)s and payment.payment_key = %(payment_key)s;
