-- What a person was shown of each hold of a question, in their order: an approval is for exactly this.
select
    release.place,
    release.hold_id::text,
    release.transaction_id::text,
    release.organization_id::text,
    release.customer_id::text,
    release.wallet_id::text,
    release.amount,
    release.order_id,
    release.order_state,
    release.severity,
    release.findings::text
from wallet.release as release
where release.request_id = %(request_id)s
order by release.place;
