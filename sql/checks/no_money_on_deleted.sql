-- check: no_money_on_deleted
-- meaning: A customer was deleted in the last 8 days, was not merged into another one, and still had money.
-- what to do: Ask in Syrve's back office who deleted the customer and whether the money is owed; nothing here moves it.
-- blind to: Customers who were deleted earlier: each is told for 8 days.
select
    array[person.organization_id::text, person.customer_id::text] as subject,
    concat(sum(wallet.balance), ' left in ', count(*), ' wallet(s)') as detail
from syrve.customer as person
inner join syrve.wallet_balance as wallet
    on person.organization_id = wallet.organization_id and person.customer_id = wallet.customer_id
inner join syrve.wallet_type as known on wallet.type = known.type and known.is_money
where
    person.is_deleted
    and person.changed_at > now() - interval '8 days'
    and wallet.balance > 0
    and not exists (
        select
        from sync.roster as roster
        where
            roster.organization_id = person.organization_id
            and (
                (roster.identity_kind = 'id' and roster.identity_value = person.customer_id::text)
                or (roster.identity_kind = 'phone' and roster.identity_value = person.phone)
            )
            and roster.outcome = 'found'
            and roster.customer_id <> person.customer_id
    )
group by person.organization_id, person.customer_id
