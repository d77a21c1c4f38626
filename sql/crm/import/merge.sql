-- Writes a chunk of desired states into crm.customer, and gives how many rows it changed, how many of these it made, and how many it had to make.
-- What a line leaves empty stays as it is; several lines about one customer agree with each other (contradicting.sql); a row that has a customer
-- keeps it. Needs the rows locked (lock.sql).
with merged as (
    select
        crm_id,
        (array_agg(organization_id order by line desc))[1] as organization_id,
        (array_agg(customer_id order by line desc) filter (where customer_id is not null))[1] as customer_id,
        (array_agg(phone order by line desc) filter (where phone is not null))[1] as phone,
        (array_agg(name order by line desc) filter (where name is not null))[1] as name,
        (array_agg(surname order by line desc) filter (where surname is not null))[1] as surname,
        (array_agg(middle_name order by line desc) filter (where middle_name is not null))[1] as middle_name,
        (array_agg(email order by line desc) filter (where email is not null))[1] as email,
        (array_agg(birthday order by line desc) filter (where birthday is not null))[1] as birthday,
        (array_agg(sex order by line desc) filter (where sex is not null))[1] as sex,
        (array_agg(receives_order_status order by line desc) filter (where receives_order_status is not null))[1]
            as receives_order_status,
        (array_agg(receives_promo order by line desc) filter (where receives_promo is not null))[1] as receives_promo,
        coalesce(string_to_array(string_agg(array_to_string(clear, ' '), ' '), ' '), '{}') as clear
    from staging_crm
    group by crm_id
),

next as (
    select
        merged.crm_id,
        coalesce(known.organization_id, merged.organization_id) as organization_id,
        coalesce(known.customer_id, merged.customer_id) as customer_id,
        coalesce(merged.phone, known.phone) as phone,
        coalesce(merged.name, case when 'name' = any(merged.clear) then null else known.name end) as name,
        coalesce(merged.surname, case when 'surname' = any(merged.clear) then null else known.surname end) as surname,
        coalesce(merged.middle_name, case when 'middle_name' = any(merged.clear) then null else known.middle_name end) as middle_name,
        coalesce(merged.email, case when 'email' = any(merged.clear) then null else known.email end) as email,
        coalesce(merged.birthday, known.birthday) as birthday,
        coalesce(merged.sex, known.sex) as sex,
        coalesce(merged.receives_order_status, known.receives_order_status) as receives_order_status,
        coalesce(merged.receives_promo, known.receives_promo) as receives_promo,
        array(
            select distinct cleared.field
            from unnest(coalesce(known.clear, '{}') || merged.clear) as cleared (field)
            where
                case cleared.field
                    when 'name' then merged.name
                    when 'surname' then merged.surname
                    when 'middle_name' then merged.middle_name
                    when 'email' then merged.email
                end is null
            order by cleared.field
        ) as clear
    from merged
    left join crm.customer as known on merged.crm_id = known.crm_id
),

written as (
    insert into crm.customer as desired (
        crm_id, organization_id, customer_id, phone, name, surname, middle_name, email, birthday, sex, receives_order_status,
        receives_promo, clear
    )
    select
        crm_id,
        organization_id,
        customer_id,
        phone,
        name,
        surname,
        middle_name,
        email,
        birthday,
        sex,
        receives_order_status,
        receives_promo,
        clear
    from next
    order by crm_id
    on conflict (crm_id) do update
        set
            customer_id = excluded.customer_id,
            phone = excluded.phone,
            name = excluded.name,
            surname = excluded.surname,
            middle_name = excluded.middle_name,
            email = excluded.email,
            birthday = excluded.birthday,
            sex = excluded.sex,
            receives_order_status = excluded.receives_order_status,
            receives_promo = excluded.receives_promo,
            clear = excluded.clear
        where
        desired.crm_id not in (select staged.crm_id from staging_crm as staged where staged.is_new) -- the CRM has taken the number in between
        and (
            desired.customer_id, desired.phone, desired.name, desired.surname, desired.middle_name, desired.email, desired.birthday, desired.sex,
            desired.receives_order_status, desired.receives_promo, desired.clear
        )
        is distinct from (
            excluded.customer_id, excluded.phone, excluded.name, excluded.surname, excluded.middle_name, excluded.email, excluded.birthday,
            excluded.sex, excluded.receives_order_status, excluded.receives_promo, excluded.clear
        )
    returning desired.xmax = 0 as is_new
)

select
    count(*) as changed,
    count(*) filter (where is_new) as created,
    (select count(distinct staged.crm_id) from staging_crm as staged where staged.is_new) as to_create
from written;
