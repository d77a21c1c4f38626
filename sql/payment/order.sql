-- Reports the state of a payment's order as of now, as far as a payment may speak for it: several payments pay one order, and others report too.
-- The amount is that of all its payments that still count, unless another source reported one.
insert into wallet.payment_order (organization_id, order_id, state, amount, state_at, source)
select
    payment.organization_id,
    payment.order_id,
    %(state)s::text as state,
    case when known.source is null or known.source = 'payment' then live.amount end as amount,
    clock_timestamp() as state_at,
    'payment' as source
from wallet.payment as payment
left join wallet.payment_order as known on payment.organization_id = known.organization_id and payment.order_id = known.order_id
cross join
    lateral (
        select
            greatest(sum(other.amount) filter (where reported.state <> 'order_failed'), payment.amount) as amount,
            count(*) filter (where other.payment_id <> payment.payment_id and reported.state <> 'order_failed' and not refused.is_refused) as others
        from wallet.payment as other
        cross join
            lateral (
                select event.state
                from wallet.payment_event as event
                where event.payment_id = other.payment_id
                order by event.sequence desc
                limit 1
            ) as reported
        cross join
            lateral (
                select coalesce(bool_and(step.state = 'rejected'), false) as is_refused
                from wallet.operation_state as step
                where step.payment_id = other.payment_id and step.kind = 'hold'
            ) as refused
        where other.organization_id = payment.organization_id and other.order_id = payment.order_id
    ) as live
where
    payment.payment_id = %(payment_id)s
    and case %(state)s
        when 'open' then known.state is null or (known.source = 'payment' and known.state = 'failed')
        when 'failed' then live.others = 0
        else true
    end
on conflict (organization_id, order_id) do update
    set
        state = excluded.state,
        amount = coalesce(excluded.amount, payment_order.amount),
        state_at = excluded.state_at,
        source = excluded.source;
