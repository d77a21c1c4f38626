-- Takes the lines out that say something else about a customer than an earlier line of the source, and gives them with the fields: which of them is right,
-- and whether the phone is one of two people, cannot be decided here. What earlier chunks of the run said is in staging_crm_said.
with stated as materialized (
    select
        line,
        crm_id,
        jsonb_strip_nulls(
            jsonb_build_object(
                'phone', phone,
                'name', name,
                'surname', surname,
                'middle_name', middle_name,
                'email', email,
                'birthday', birthday,
                'sex', sex,
                'receives_order_status', receives_order_status,
                'receives_promo', receives_promo,
                -- A membership is a field too.
                coalesce('wanted: category ' || category_id, ''), case when category_id is not null then wanted end,
                coalesce('wanted: card ' || card_track, ''), case when card_track is not null then wanted end
            )
        ) as fields
    from staging_crm
),

-- Every line about customers who have several.
compared as materialized (
    select
        each.line,
        each.crm_id,
        field.name,
        field.value
    from (
        select line, crm_id, fields from stated
        union all
        select -1 as line, crm_id, fields from staging_crm_said
    ) as each
    cross join lateral jsonb_each(each.fields) as field (name, value)
    where
        each.crm_id in (
            select crm_id from stated
            group by crm_id
            having count(*) > 1
            union
            select earlier.crm_id
            from staging_crm_said as earlier
            inner join stated on earlier.crm_id = stated.crm_id
        )
),

first as (
    select distinct on (crm_id, name)
        crm_id,
        name,
        value
    from compared
    order by crm_id asc, name asc, line asc
),

contradicting as (
    select
        compared.line,
        string_agg(distinct split_part(compared.name, ':', 1), ', ') as fields
    from compared
    inner join first on compared.crm_id = first.crm_id and compared.name = first.name
    where compared.value <> first.value
    group by compared.line
),

removed as (
    delete from staging_crm as staged
    using contradicting
    where staged.line = contradicting.line
    returning staged.line, contradicting.fields
),

noted as (
    insert into staging_crm_said as said (crm_id, fields)
    select
        stated.crm_id,
        jsonb_object_agg(field.name, field.value) as fields
    from stated
    cross join lateral jsonb_each(stated.fields) as field (name, value)
    where stated.line not in (select removed.line from removed)
    group by stated.crm_id
    on conflict (crm_id) do update
        set fields = said.fields || excluded.fields
)

select
    line,
    'says something else than an earlier line about the same customer: ' || fields as reason
from removed;
