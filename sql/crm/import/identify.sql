-- Finds the row of each line: by crm_id, else by customer_id, else by phone; and takes the lines out that cannot have one, with the reason. A row
-- that has a customer is never given another: a line with another id is about another row, with any phone. Nor does a
-- phone find the row of a customer who has another one in Syrve by now, if it is another customer's there. Lines about one customer who has no row
-- yet get one number together, those that name only the phone too.
update staging_crm as staged
set reason = 'the row with this crm_id is about another customer'
from crm.customer as desired
where desired.crm_id = staged.crm_id and desired.customer_id <> staged.customer_id;

update staging_crm as staged
set reason = 'an earlier line gives this crm_id to another customer'
from staging_crm as earlier
where
    staged.reason is null
    and earlier.reason is null
    and earlier.crm_id = staged.crm_id
    and earlier.line < staged.line
    and earlier.customer_id <> staged.customer_id;

update staging_crm as staged
set
    crm_id = (
        select desired.crm_id
        from crm.customer as desired
        left join crm.push_state as known on desired.crm_id = known.crm_id
        where desired.organization_id = staged.organization_id and desired.customer_id = staged.customer_id
        order by known.joined_to is not null, desired.crm_id
        limit 1
    )
where staged.crm_id is null and staged.customer_id is not null and staged.reason is null;

with matched as (
    select
        staged.line,
        desired.crm_id,
        desired.customer_id,
        desired.joined_to
    from staging_crm as staged
    inner join lateral (
        select
            written.crm_id,
            written.customer_id,
            known.joined_to
        from crm.customer as written
        left join crm.push_state as known on written.crm_id = known.crm_id
        where written.organization_id = staged.organization_id and written.phone = staged.phone
        union
        select
            written.crm_id,
            written.customer_id,
            known.joined_to
        from crm.customer as written
        inner join crm.push_state as known on written.crm_id = known.crm_id
        where
            known.organization_id = staged.organization_id
            and known.phone = staged.phone
            and known.phone_read = %(region)s || ' ' || written.phone
    ) as desired on true
    where
        staged.crm_id is null
        and staged.reason is null
        and (staged.customer_id is null or desired.customer_id is null)
),

judged as (
    select
        line,
        count(distinct customer_id) as customers,
        (array_agg(crm_id order by joined_to is not null, customer_id is null, crm_id))[1] as crm_id
    from matched
    group by line
)

update staging_crm as staged
set
    crm_id = case when judged.customers < 2 then judged.crm_id end,
    is_by_phone = true,
    reason = case when judged.customers > 1 then 'rows about several customers have this phone: name the customer by id' end
from judged
where staged.line = judged.line;

with passed_on as (
    select staged.line
    from staging_crm as staged
    inner join crm.customer as desired on staged.crm_id = desired.crm_id
    inner join syrve.customer as mirrored
        on desired.organization_id = mirrored.organization_id and desired.customer_id = mirrored.customer_id
    inner join syrve.customer as holder
        on staged.organization_id = holder.organization_id and staged.phone = holder.phone
    where
        staged.is_by_phone
        and staged.customer_id is null
        and staged.reason is null
        and mirrored.phone is distinct from staged.phone
        and holder.customer_id <> desired.customer_id
        and not holder.is_deleted
)

update staging_crm as staged
set crm_id = null, reason = 'this phone is another customer''s in Syrve by now: name the customer by id'
where staged.line in (select passed_on.line from passed_on);

-- A row without a customer is given one: that of the first line. Lines with other ids are about other rows.
update staging_crm as staged
set crm_id = null
where
    staged.is_by_phone
    and staged.customer_id is not null
    and exists (
        select 1
        from staging_crm as earlier
        where
            earlier.crm_id = staged.crm_id
            and earlier.customer_id <> staged.customer_id
            and earlier.reason is null
            and earlier.line < staged.line
    );

with named as (
    select
        organization_id,
        phone,
        count(distinct customer_id) as customers,
        (array_agg(customer_id))[1] as customer_id,
        max(crm_id) as crm_id
    from staging_crm
    where customer_id is not null and phone is not null and reason is null
    group by organization_id, phone
)

update staging_crm as staged
set
    customer_id = case when named.customers = 1 then named.customer_id end,
    crm_id = case when named.customers = 1 then named.crm_id end,
    reason = case when named.customers > 1 then 'lines about several customers have this phone: name the customer by id' end
from named
where
    staged.crm_id is null
    and staged.customer_id is null
    and staged.reason is null
    and staged.organization_id = named.organization_id
    and staged.phone = named.phone;

update staging_crm as staged
set crm_id = numbered.crm_id, is_new = true
from (
    select
        organization_id,
        coalesce(customer_id::text, phone) as identity,
        crm.free_number() as crm_id
    from staging_crm
    where crm_id is null and reason is null
    group by organization_id, coalesce(customer_id::text, phone)
) as numbered
where
    staged.crm_id is null
    and staged.reason is null
    and staged.organization_id = numbered.organization_id
    and coalesce(staged.customer_id::text, staged.phone) = numbered.identity;

delete from staging_crm
where reason is not null
returning line, reason;
