-- check: no_orphans
-- meaning: A wallet, card or category has no customer in the mirror, or the roster has found a customer who is not in the mirror.
-- what to do: Start syrve_backfill for the customer with force: the pull removes orphans when it writes the customer.
select
    array[child.organization_id::text, child.customer_id::text] as subject,
    child.what || ' without a customer' as detail
from (
    select organization_id, customer_id, 'wallet' as what
    from syrve.wallet_balance
    union
    select organization_id, customer_id, 'card' as what
    from syrve.card
    union
    select organization_id, customer_id, 'category' as what
    from syrve.customer_category
    union
    select organization_id, customer_id, 'identity of the roster' as what
    from sync.roster
    where outcome = 'found' and customer_id is not null and checked_at > now() - interval '8 days'
) as child
left join syrve.customer as customer
    on child.organization_id = customer.organization_id and child.customer_id = customer.customer_id
where customer.customer_id is null
