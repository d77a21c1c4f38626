drop function crm.prune_push(integer, integer, integer);

create or replace view crm.desired_state as
select
    wished.crm_id,
    wished.organization_id,
    wished.customer_id,
    jsonb_strip_nulls(
        jsonb_build_object(
            'phone', known.phone,
            'name', nullif(btrim(wished.name), ''),
            'surname', nullif(btrim(wished.surname), ''),
            'middle_name', nullif(btrim(wished.middle_name), ''),
            'email', nullif(btrim(wished.email), ''),
            'birthday', wished.birthday::text,
            'sex', wished.sex,
            'receives_order_status', wished.receives_order_status::text,
            'receives_promo', wished.receives_promo::text
        )
    )
    || coalesce((select jsonb_object_agg(cleared.field, null) from unnest(wished.clear) as cleared (field)), '{}')
    || coalesce(
        (
            select jsonb_object_agg('category:' || wish.category_id, wish.wanted::text)
            from crm.customer_category as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('card:' || wish.track, wish.wanted::text)
            from crm.customer_card as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('program:' || wish.program_id, 'true')
            from crm.customer_program as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    ) as fields
from crm.customer as wished
left join crm.push_state as known on wished.crm_id = known.crm_id;
