-- Rows of a version whose wallet another campaign has credited lately, or may have.
select listed.row_key
from wallet.campaign_row as listed
where
    listed.campaign = %(campaign)s
    and listed.version = %(version)s
    and exists (
        select 1
        from wallet.operation_state as other
        where
            other.organization_id = listed.organization_id
            and other.customer_id = listed.customer_id
            and other.wallet_id = listed.wallet_id
            and other.requested_at > clock_timestamp() - make_interval(days => %(days)s)
            and other.kind = 'topup'
            and starts_with(other.source, 'topup:')
            and other.source <> %(source)s
            and other.state in ('sent', 'unknown', 'confirmed')
    );
