-- The holds of a question as they were shown, with the outcome of each so far.
select
    release.release_id::text,
    release.place,
    release.hold_id::text,
    release.organization_id::text,
    release.customer_id::text,
    release.wallet_id::text,
    release.amount,
    release.order_id,
    release.order_state,
    release.rules,
    release.severity,
    release.asked_at - release.opened_at as age,
    latest.state,
    latest.sequence,
    latest.evidence,
    made.payment_id::text
from wallet.release as release
inner join wallet.release_state as latest on release.release_id = latest.release_id
left join wallet.operation as made on release.hold_id = made.operation_id
where release.request_id = %(request_id)s
order by release.place;
