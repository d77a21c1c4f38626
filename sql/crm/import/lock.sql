-- Locks the rows that the lines of a chunk are about in the order of their key, for the memberships as well; and gives how many lines are about another one
-- by now: while it was looked for (identify.sql) no row was locked, and the CRM may have given it another phone or customer, or deleted it.
select count(*)
from (
    select 1
    from crm.customer as desired
    where desired.crm_id in (select staged.crm_id from staging_crm as staged)
    order by desired.crm_id
    for no key update of desired
) as locked;

select count(*) as moved
from staging_crm as staged
left join crm.customer as desired on staged.crm_id = desired.crm_id
left join crm.push_state as known on staged.crm_id = known.crm_id
where
    not staged.is_new
    and not coalesce(
        desired.organization_id = staged.organization_id
        and coalesce(desired.customer_id = staged.customer_id, true)
        and (
            not staged.is_by_phone
            or desired.phone = staged.phone
            or (known.phone = staged.phone and known.phone_read = %(region)s || ' ' || desired.phone)
        ),
        false
    );
