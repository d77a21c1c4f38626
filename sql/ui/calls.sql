-- Calls of the last 24 hours by family, told from the DAG that made them.
select
    case
        when task like 'syrve_coupons.%%' then 'coupon'
        when task like 'syrve_release_holds.%%' or task like 'syrve_bulk_topup.%%' then 'wallet'
        when task like 'syrve_wallet_import.%%' then 'transactions'
        else 'customer'
    end as family,
    sum(calls) as calls,
    sum(rate_limited) as rate_limited
from sync.run
where updated_at > now() - interval '24 hours'
group by 1;
