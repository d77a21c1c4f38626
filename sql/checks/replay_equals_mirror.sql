-- check: replay_equals_mirror
-- meaning: The history does not lead to the mirror: a wallet's version says which balance came after it, and neither the next version nor the mirror
--   has that balance from then on; or a row of the mirror began in the future, so that as of now it is not there.
-- what to do: Another program or a person wrote to syrve directly. Start syrve_backfill for the customer with force; the next versions are right again. The
--   next plan of syrve_customers corrects times in the future that the database's clock left before it was set back.
-- blind to: Versions that ended more than 8 days ago.
select
    array[version.organization_id::text, version.customer_id::text, version.wallet_id::text] as subject,
    'the balance after the version that ended at ' || version.valid_to || ' is not that of the next' as detail
from syrve.wallet_balance_version as version
where
    version.valid_to > now() - interval '8 days'
    and version.balance_after is not null
    and not exists (
        select
        from syrve.wallet_balance_history as later
        where
            later.organization_id = version.organization_id
            and later.customer_id = version.customer_id
            and later.wallet_id = version.wallet_id
            and later.valid_from = version.valid_to
            and later.balance = version.balance_after
    )
union all
select
    array[organization_id::text, customer_id::text, wallet_id::text] as subject,
    'the balance of the mirror begins in the future: ' || changed_at as detail
from syrve.wallet_balance
where changed_at > now() + interval '10 minutes'
union all
select
    array[organization_id::text, customer_id::text] as subject,
    'the profile of the mirror begins in the future: ' || profile_changed_at as detail
from syrve.customer
where greatest(changed_at, profile_changed_at) > now() + interval '10 minutes'
