-- Adds up the balances at the end of one day of an organization, or as of now while the day lasts. Types that are gone by then are written as 0,
-- and so are bonuses if there is no wallet at all: a day that was looked at has a row.
-- An hour after its end a day is final: a batch that was looked up before midnight has landed by then.
with moment as materialized (
    select
        least(day_end.at - interval '1 microsecond', now()) as as_of,
        day_end.at < now() - interval '1 hour' as is_final
    from syrve.organization as organization
    cross join lateral (select (%(day)s::date + 1)::timestamp at time zone organization.time_zone as at) as day_end
    where organization.organization_id = %(organization_id)s
),

deleted_customer as materialized (
    select customer_id
    from syrve.customer
    where organization_id = %(organization_id)s and is_deleted and profile_changed_at <= (select as_of from moment)
    union
    select customer_id
    from syrve.customer_version
    where
        organization_id = %(organization_id)s
        and is_deleted
        and valid_from <= (select as_of from moment)
        and valid_to > (select as_of from moment)
),

held as (
    select customer_id, type, balance
    from syrve.wallet_balance
    where organization_id = %(organization_id)s and changed_at <= (select as_of from moment)
    union all
    select customer_id, type, balance
    from syrve.wallet_balance_version
    where
        organization_id = %(organization_id)s
        and valid_from <= (select as_of from moment)
        and valid_to > (select as_of from moment)
),

of_customer as (
    select
        held.customer_id,
        held.type,
        count(*) as wallets,
        sum(held.balance) as balance
    from held
    group by held.customer_id, held.type
),

total as (
    select
        coalesce(known.name, 'unknown') as wallet_type,
        of_customer.customer_id in (select customer_id from deleted_customer) as is_deleted,
        sum(of_customer.wallets) as wallets,
        count(*) as customers,
        sum(of_customer.balance) as balance
    from of_customer
    left join syrve.wallet_type as known on of_customer.type = known.type
    group by coalesce(known.name, 'unknown'), of_customer.customer_id in (select customer_id from deleted_customer)
),

zero as (
    select distinct
        daily.wallet_type,
        daily.is_deleted
    from syrve.daily_balance as daily
    where daily.organization_id = %(organization_id)s
    union
    select
        'bonus' as wallet_type,
        false as is_deleted
)

insert into syrve.daily_balance as known (
    organization_id, day, wallet_type, is_deleted, wallets, customers, balance, as_of, is_final
)
select
    %(organization_id)s,
    %(day)s,
    coalesce(total.wallet_type, zero.wallet_type) as wallet_type,
    coalesce(total.is_deleted, zero.is_deleted) as is_deleted,
    coalesce(total.wallets, 0) as wallets,
    coalesce(total.customers, 0) as customers,
    coalesce(total.balance, 0) as balance,
    moment.as_of,
    moment.is_final
from total
full join zero on total.wallet_type = zero.wallet_type and total.is_deleted = zero.is_deleted
cross join moment
on conflict (organization_id, day, wallet_type, is_deleted) do update
    set
        wallets = excluded.wallets,
        customers = excluded.customers,
        balance = excluded.balance,
        as_of = excluded.as_of,
        is_final = excluded.is_final
    where known.as_of <= excluded.as_of;
