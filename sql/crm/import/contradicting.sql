-- Takes the lines out that say something else about a customer than an earlier line of the source, and gives them with the fields: which of them is right,
-- and whether the phone is one of two people, cannot be decided here. What earlier chunks of the run said is in staging_crm_said.
with before as (
    select
        -1 as line,
        desired.crm_id,
        null as phone,
        case when 'name' = any(said.fields) then desired.name end as name,
        case when 'surname' = any(said.fields) then desired.surname end as surname,
        case when 'middle_name' = any(said.fields) then desired.middle_name end as middle_name,
        case when 'email' = any(said.fields) then desired.email end as email,
        case when 'birthday' = any(said.fields) then desired.birthday end as birthday,
        case when 'sex' = any(said.fields) then desired.sex end as sex,
        case when 'receives_order_status' = any(said.fields) then desired.receives_order_status end as receives_order_status,
        case when 'receives_promo' = any(said.fields) then desired.receives_promo end as receives_promo
    from staging_crm_said as said
    inner join crm.customer as desired on said.crm_id = desired.crm_id
    where said.crm_id in (select staged.crm_id from staging_crm as staged)
),

lines as (
    select
        line,
        crm_id,
        phone,
        name,
        surname,
        middle_name,
        email,
        birthday,
        sex,
        receives_order_status,
        receives_promo
    from staging_crm
    union all
    select * from before
),

first as (
    select
        crm_id,
        (array_agg(phone order by line) filter (where phone is not null))[1] as phone,
        (array_agg(name order by line) filter (where name is not null))[1] as name,
        (array_agg(surname order by line) filter (where surname is not null))[1] as surname,
        (array_agg(middle_name order by line) filter (where middle_name is not null))[1] as middle_name,
        (array_agg(email order by line) filter (where email is not null))[1] as email,
        (array_agg(birthday order by line) filter (where birthday is not null))[1] as birthday,
        (array_agg(sex order by line) filter (where sex is not null))[1] as sex,
        (array_agg(receives_order_status order by line) filter (where receives_order_status is not null))[1] as receives_order_status,
        (array_agg(receives_promo order by line) filter (where receives_promo is not null))[1] as receives_promo
    from lines
    group by crm_id
    having count(*) > 1
),

contradicting as (
    select
        staged.line,
        concat_ws(
            ', ',
            case when staged.phone <> first.phone then 'phone' end,
            case when staged.name <> first.name then 'name' end,
            case when staged.surname <> first.surname then 'surname' end,
            case when staged.middle_name <> first.middle_name then 'middle_name' end,
            case when staged.email <> first.email then 'email' end,
            case when staged.birthday <> first.birthday then 'birthday' end,
            case when staged.sex <> first.sex then 'sex' end,
            case when staged.receives_order_status <> first.receives_order_status then 'receives_order_status' end,
            case when staged.receives_promo <> first.receives_promo then 'receives_promo' end,
            case
                when
                    exists (
                        select 1
                        from staging_crm as earlier
                        where
                            earlier.crm_id = staged.crm_id
                            and earlier.line < staged.line
                            and earlier.wanted <> staged.wanted
                            and (earlier.category_id = staged.category_id or earlier.card_track = staged.card_track)
                    )
                    then 'wanted'
            end
        ) as fields
    from staging_crm as staged
    inner join first on staged.crm_id = first.crm_id
),

removed as (
    delete from staging_crm as staged
    using contradicting
    where staged.line = contradicting.line and contradicting.fields <> ''
    returning staged.line, contradicting.fields
),

noted as (
    insert into staging_crm_said as said (crm_id, fields)
    select
        staged.crm_id,
        array_remove(
            array[
                case when bool_or(staged.name is not null) then 'name' end,
                case when bool_or(staged.surname is not null) then 'surname' end,
                case when bool_or(staged.middle_name is not null) then 'middle_name' end,
                case when bool_or(staged.email is not null) then 'email' end,
                case when bool_or(staged.birthday is not null) then 'birthday' end,
                case when bool_or(staged.sex is not null) then 'sex' end,
                case when bool_or(staged.receives_order_status is not null) then 'receives_order_status' end,
                case when bool_or(staged.receives_promo is not null) then 'receives_promo' end
            ],
            null
        ) as fields
    from staging_crm as staged
    where staged.line not in (select removed.line from removed)
    group by staged.crm_id
    on conflict (crm_id) do update
        set fields = array(select distinct unnest(said.fields || excluded.fields))  -- noqa: RF01
)

select
    line,
    'says something else than an earlier line about the same customer: ' || fields as reason
from removed;
