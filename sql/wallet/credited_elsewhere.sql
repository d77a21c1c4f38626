-- Rows of a version whose wallet was credited lately, or may have been, by another campaign, or by this one for a row that the version does not have:
-- a key that was added or renamed makes another row of it. Through any organization: those of one network share their customers' wallets.
select listed.row_key
from wallet.campaign_row as listed
where
    listed.campaign = %(campaign)s
    and listed.version = %(version)s
    and exists (
        select 1
        from wallet.operation_state as other
        where
            other.customer_id = listed.customer_id
            and other.wallet_id = listed.wallet_id
            and other.requested_at > clock_timestamp() - make_interval(days => %(days)s)
            and other.kind = 'topup'
            and starts_with(other.source, 'topup:')
            and other.state in ('sent', 'unknown', 'confirmed')
            and (
                other.source <> %(source)s
                or not exists (
                    select 1
                    from wallet.campaign_row as same
                    where
                        same.campaign = listed.campaign
                        and same.version = listed.version
                        and same.row_key = regexp_replace(other.idempotency_key, ':[0-9]+$', '')
                )
            )
    );
