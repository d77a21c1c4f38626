-- depends: 0013.crm-push
-- What the CRM wants and what Syrve has, in the same terms: the two sides that a plan compares.

create view crm.desired_state as
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
comment on view crm.desired_state is
'What the CRM wants, as {field: value}: a field that is not there is not managed, null is to be emptied. Blank text counts as null.';
comment on column crm.desired_state.crm_id is 'The CRM''s number of the customer.';
comment on column crm.desired_state.organization_id is 'Organization in which the customer is kept.';
comment on column crm.desired_state.customer_id is 'Syrve''s id, once known.';
comment on column crm.desired_state.fields is 'Values by field; memberships as category:ID, card:TRACK, program:ID with true or false.';

create view crm.syrve_state as
select
    mirrored.organization_id,
    mirrored.customer_id,
    mirrored.fetched_at,
    mirrored.profile_changed_at as changed_at,
    mirrored.is_deleted,
    jsonb_build_object(
        'phone', mirrored.phone,
        'name', mirrored.name,
        'surname', mirrored.surname,
        'middle_name', mirrored.middle_name,
        'email', mirrored.email,
        'birthday', mirrored.birthday::text,
        'sex', coalesce(mirrored.sex, 'not_specified'),
        'receives_order_status', mirrored.receives_order_status::text,
        'receives_promo', mirrored.receives_promo::text
    )
    || coalesce(
        (
            select jsonb_object_agg('category:' || membership.category_id, 'true')
            from syrve.customer_category as membership
            where membership.organization_id = mirrored.organization_id and membership.customer_id = mirrored.customer_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('card:' || membership.track, 'true')
            from syrve.card as membership
            where
                membership.organization_id = mirrored.organization_id
                and membership.customer_id = mirrored.customer_id
                and membership.track is not null
        ),
        '{}'
    )
    || case when mirrored.program_id is null then '{}' else jsonb_build_object('program:' || mirrored.program_id, 'true') end as fields
from syrve.customer as mirrored;
comment on view crm.syrve_state is 'What Syrve has, by the mirror, in the same terms as crm.desired_state.';
comment on column crm.syrve_state.organization_id is 'Organization that knows the customer.';
comment on column crm.syrve_state.customer_id is 'Syrve''s id of the customer.';
comment on column crm.syrve_state.fetched_at is 'Time of the answer that made this version.';
comment on column crm.syrve_state.changed_at is 'When a field of the customer last changed, as far as look-ups show.';
comment on column crm.syrve_state.is_deleted is 'Whether Syrve has deleted the customer.';
comment on column crm.syrve_state.fields is 'Values by field; a membership that is not there is none.';
