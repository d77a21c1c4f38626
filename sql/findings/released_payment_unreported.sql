-- rule: released_payment_unreported
-- meaning: The hold of a payment of ours was cancelled more than report_grace_seconds ago, by any actor, and the payment's caller has not
--   reported its order since. The order may have run unpaid: the payment refuses to begin again, and its order is still open or not known, or
--   completed by another payment, so that it is not known whether this one was part of it.
-- severity: medium
-- what to do: Ask the order service. If the order ran, complete the payment, which charges for it
--   (under pos_consumes_hold it is found unpaid); if it did not, fail the payment, or import
--   the order as failed or cancelled.
-- blind to: Payments whose order failed or was cancelled, and completed orders of which others reported the amount (completed_order_unpaid adds
--   these up).
select
    'payment:' || payment.payment_id as subject,
    payment.organization_id,
    payment.customer_id,
    payment.wallet_id,
    hold.hold_id,
    payment.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'payment_id', payment.payment_id,
        'order_id', payment.order_id,
        'order_state', known.state,
        'hold_id', hold.hold_id,
        'amount', payment.amount,
        'begun_at', payment.begun_at,
        'released_at', hold.closed_at,
        'released_basis', hold.closed_basis
    ) as evidence
from wallet.released_payment as released
inner join wallet.payment as payment on released.payment_id = payment.payment_id
inner join wallet.hold as hold on released.hold_id = hold.hold_id
left join lateral (
    select version.state, version.source
    from wallet.payment_order_version as version
    where
        version.organization_id = payment.organization_id
        and version.order_id = payment.order_id
        and version.state_at <= %(as_of)s
    order by version.state_at desc, version.state = 'open', version.state
    limit 1
) as known on true
where
    released.organization_id = %(organization_id)s
    and hold.closed_by = 'cancelled'
    and hold.closed_at <= %(as_of)s - make_interval(secs => %(report_grace_seconds)s)
    and (
        coalesce(known.state = 'open', true)
        or (
            known.state = 'completed'
            and known.source = 'payment'
            and not exists (
                select
                from wallet.payment_order_version as version
                where
                    version.organization_id = payment.organization_id
                    and version.order_id = payment.order_id
                    and version.state_at <= %(as_of)s
                    and version.source is distinct from 'payment'
                    and version.amount is not null
            )
        )
    )
    and not exists (
        select
        from wallet.payment_event as reported
        where reported.payment_id = payment.payment_id and reported.sequence = 2 and reported.occurred_at <= %(as_of)s
    );
